"use strict";
// Enter leads on to the next control, as on the number pad; without this script it only checks.
(() => {
  const form = document.getElementById("keying");
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    const boxes = [...form.querySelectorAll("input:not([type=hidden]), textarea, #save")];
    const next = boxes[boxes.indexOf(event.target) + 1];
    next.focus();
    if (next.select) next.select();
  });
  const wrong = form.querySelector(".is-invalid") || document.getElementById("k-_number");
  if (form.querySelector("select").value) wrong.focus();
})();
