// The residents' script: what is filled in stays on the phone until the server has it. The page
// works without. ES5 only, for old phones (tests/checks/test_old_engines.py). It is sent without
// these comments, inside the page, so it must not hold the end of a script element.
(function (doc, place) {
"use strict";
var form = doc.getElementById("form"), receipt = doc.querySelector("[data-key]"),
  faults = doc.getElementById("faults"), number = doc.getElementById("code"), slot = "minping" + place.pathname,
  busy, timer, wait = 20, native, kept;

// Private windows, full phones and forbidden storage throw; the page then works as without.
function load(name) {
  try { return JSON.parse(localStorage.getItem(name)); } catch (e) { return null; }
}
function store(value) {
  try { localStorage.setItem(slot, JSON.stringify(value)); return true; } catch (e) { return false; }
}
// The receipt has another address than the card, so its answers are found by their key.
function forget(key) {
  try {
    for (var i = localStorage.length; i--;) {
      var name = localStorage.key(i);
      if (name.indexOf("minping/") === 0 && (load(name) || {}).key === key) localStorage.removeItem(name);
    }
  } catch (e) { return; }
}
if (receipt) forget(receipt.getAttribute("data-key"));
if (faults) faults.focus();

// The number on a card, in groups of four as it is printed, with the cursor after the same digit.
function group() {
  var bare = /[\s-]/g, typed = this.value.replace(bare, ""),
    before = this.value.slice(0, this.selectionStart).replace(bare, "").length,
    grouped = typed.replace(/(.{4})(?=.)/g, "$1 ");
  if (!/^[0-9０-９]+$/.test(typed) || grouped === this.value) return;
  this.value = grouped;
  before += before && Math.floor((before - 1) / 4);
  this.setSelectionRange(before, before);
}
if (number) number.addEventListener("input", group);
if (!form) return;

var status = doc.getElementById("status");
function say(what) { status.textContent = what && status.getAttribute("data-" + what); }
function show(id) { doc.getElementById(id).hidden = false; }
function each(act) {
  for (var i = 0; i < form.elements.length; i++) {
    var one = form.elements[i];
    if (one.name && one.type !== "hidden" && one.type !== "submit") act(one, /^(radio|checkbox)$/.test(one.type));
  }
}
// Who is asked what, by the rules of surveys/logic.py: true, false, or null when unknown.
function many(answer) { return answer === undefined ? [] : answer instanceof Array ? answer : [answer]; }
function count(name, answers) {
  var dotted = Object.keys(answers).filter(function (one) { return one.indexOf(name + ".") === 0; });
  return dotted.length + many(answers[name]).length;
}
function operand(tree, answers) {
  if (typeof tree === "string") return tree;
  if (tree[0] === "count") return "" + count(tree[1], answers);
  return typeof answers[tree[1]] === "string" ? answers[tree[1]] : null;
}
function compare(sign, a, b) {
  var number = /^-?[0-9]+(\.[0-9]+)?$/, day = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;
  if (a === null || b === null) return null;
  if (number.test(a) && number.test(b)) { a = +a; b = +b; }
  else if (sign !== "=" && sign !== "!=" && !(day.test(a) && day.test(b))) return null;
  return sign === "=" ? a === b : sign === "!=" ? a !== b : sign === "<" ? a < b :
    sign === "<=" ? a <= b : sign === ">" ? a > b : a >= b;
}
function opposite(value) { return value === null ? null : !value; }
function evaluate(tree, answers) {
  var sign = tree[0], rest = tree.slice(1), found;
  if (sign === "not") return opposite(evaluate(rest[0], answers));
  if (sign === "and" || sign === "or") {
    found = rest.map(function (part) { return evaluate(part, answers); });
    if (found.indexOf(sign === "or") >= 0) return sign === "or";
    return found.indexOf(null) >= 0 ? null : sign === "and";
  }
  if (sign === "answered") return count(rest[0], answers) > 0;
  if (sign === "selected") {
    found = answers[rest[0]];
    return found === undefined ? null : many(found).indexOf(rest[1]) >= 0;
  }
  return compare(sign, operand(rest[0], answers), operand(rest[1], answers));
}
function note(answers, one) {
  var value = one.value.trim(), owner = one.getAttribute("data-for"), unit = one.getAttribute("data-unit");
  if (/^(radio|checkbox)$/.test(one.type)) {
    if (!one.checked) return;
    if (owner) answers[owner] = value;
    else if (one.type === "radio") answers[one.name] = value;
    else answers[one.name] = many(answers[one.name]).concat(value);
  } else if (value && !one.hasAttribute("data-words") && !one.hasAttribute("data-ticks")) {
    if (unit !== null) value = value.replace(/[０-９．]/g, function (sign) {
      return String.fromCharCode(sign.charCodeAt(0) - 65248);
    }).replace(unit, "").trim();
    answers[one.name] = value;
  }
}
function limit() {
  [].forEach.call(form.querySelectorAll("[data-most]"), function (told) {
    told.hidden = told.parentNode.querySelectorAll("input:checked").length <= +told.getAttribute("data-most");
  });
}
function ask() {
  var answers = {};
  [].forEach.call(form.querySelectorAll("[data-if],[data-asks]"), function (part) {
    var tree = part.getAttribute("data-if"), above = part.parentNode;
    part.hidden = !!tree && evaluate(JSON.parse(tree), answers) !== true;
    if (part.hidden || above.hidden || !part.hasAttribute("data-asks")) return;
    [].forEach.call(part.querySelectorAll("input,select,textarea"), function (one) { note(answers, one); });
  });
}
function tidy(one) {
  var other = doc.getElementById(one.getAttribute("data-ticks"));
  if (other && one.value) other.checked = true;
  if (one.type === "checkbox" && one.checked) each(function (mate) {
    if (mate.name === one.name && mate !== one &&
      (one.hasAttribute("data-alone") || mate.hasAttribute("data-alone"))) mate.checked = false;
  });
}
function filled() {
  var pairs = [];
  each(function (one, picked) {
    if (picked ? one.checked : one.value) pairs.push([one.name, one.value]);
  });
  return pairs;
}
function save(sent) {
  kept = store({ key: form.elements.key.value, token: form.elements._token.value, sent: sent, fields: filled() });
  if (kept) show("stored");
}
function restore(old) {
  form.elements.key.value = old.key;
  form.elements._token.value = old.token;
  each(function (one, picked) {
    if (picked) one.checked = false;
    old.fields.forEach(function (pair) {
      if (pair[0] !== one.name) return;
      if (!picked) one.value = pair[1];
      else if (pair[1] === one.value) one.checked = true;
    });
  });
  show("restored");
  show("stored");
}

// Only a page that names the key says that the answers are stored. A refusal is shown by the
// server itself, to a form sent the plain way; anything else (no network, a server in trouble,
// the sign-in page of somebody's network) means: keep, and try again with the same key.
function answered() {
  var code = this.status, text = this.responseText, key = form.elements.key.value;
  busy = false;
  if (code === 200 && text.indexOf('data-key="' + key + '"') > 0 && this.responseURL) {
    busy = true;
    forget(key);
    place.replace(this.responseURL);
  } else if (code >= 400 && code < 500 && code !== 429) {
    plainly();
  } else {
    say(kept ? "kept" : "held");
    timer = setTimeout(send, wait * 1000);
    wait = Math.min(wait + 20, 60);
  }
}
function send() {
  if (busy) return;
  busy = true;
  clearTimeout(timer);
  timer = 0;
  save(true);
  say("sending");
  var fields = [["_token", form.elements._token.value], ["key", form.elements.key.value]];
  var body = fields.concat(filled(), [["_end", "1"]]).map(function (pair) {
    return pair.map(encodeURIComponent).join("=");
  }).join("&");
  var request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
  request.timeout = 30000;
  request.onloadend = answered;
  request.send(body);
}
function plainly() {
  var end = doc.createElement("input");
  end.type = "hidden";
  end.name = "_end";
  end.value = "1";
  form.appendChild(end);
  form.submit();
}

function changed(event) {
  tidy(event.target);
  ask();
  limit();
  save(false);
}
form.addEventListener("change", changed);
form.addEventListener("input", changed);
form.addEventListener("click", function (event) { native = event.target.name === "_show"; });
form.addEventListener("submit", function (event) {
  if (native) return;
  event.preventDefault();
  send();
});
addEventListener("online", function () { if (timer) send(); });
[].forEach.call(doc.querySelectorAll(".x"), function (link) {
  link.addEventListener("click", function () { forget(form.elements.key.value); });
});

// A form that the server shows again is newer than what the phone kept.
var old = load(slot);
if (form.hasAttribute("data-again")) save(false);
else if (old) {
  restore(old);
  if (old.sent) send();
}

ask();
limit();

// Reading aloud, where the phone has a voice for this page's language.
var speech = window.speechSynthesis, language = doc.documentElement.lang.slice(0, 2), voice;
function speak() {
  var parts = this.parentNode.querySelectorAll("legend,.n,.m,label");
  var text = [].map.call(parts, function (part) { return part.textContent.trim(); }).join("。");
  var running = speech.speaking;
  speech.cancel();
  if (running) return;
  var said = new SpeechSynthesisUtterance(text);
  said.voice = voice;
  said.lang = voice.lang;
  said.rate = 0.9;
  speech.speak(said);
}
function offer() {
  if (voice) return;
  voice = speech.getVoices().filter(function (one) { return one.lang.slice(0, 2) === language; })[0];
  if (voice) [].forEach.call(doc.querySelectorAll("legend"), function (legend) {
    var button = doc.createElement("button");
    button.type = "button";
    button.className = "v";
    button.textContent = form.getAttribute("data-speak");
    button.onclick = speak;
    legend.parentNode.insertBefore(button, legend.nextSibling);
  });
}
if (speech) {
  offer();
  speech.onvoiceschanged = offer;
}
})(document, location);
