"use strict";
// Reads cards with the phone's camera where the browser can; elsewhere the box is typed into.
(async () => {
  const [box, button, view, said] = ["codes", "camera", "view", "said"].map((id) =>
    document.getElementById(id));
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices) return;
  if (!(await BarcodeDetector.getSupportedFormats()).includes("qr_code")) return;
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  button.parentElement.hidden = false;

  const take = (text) => {
    const code = /\/s\/(\d{16})$/.exec(text);
    if (!code) return;
    const isKnown = box.value.split("\n").includes(code[1]);
    if (!isKnown) box.value += `${box.value && !box.value.endsWith("\n") ? "\n" : ""}${code[1]}\n`;
    said.textContent = (isKnown ? said.dataset.known : said.dataset.read) + code[1].slice(-4);
  };

  const look = async () => {
    try {
      for (const found of await detector.detect(view)) take(found.rawValue);
    } catch {
      // The camera shows nothing yet; the next look is in a moment.
    }
    setTimeout(look, 250);
  };

  button.addEventListener("click", async () => {
    try {
      view.srcObject = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "environment" },
      });
    } catch {
      said.textContent = said.dataset.refused;
      return;
    }
    button.parentElement.hidden = true;
    view.hidden = false;
    look();
  });
})();
