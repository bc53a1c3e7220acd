"use strict";
const form = document.getElementById("filters");
function show(event) {
  if (event) event.preventDefault();
  const asked = new FormData(form);
  const [generator, state] = [asked.get("generator"), asked.get("state")];
  const digest = asked.get("digest").trim().toLowerCase();
  let count = 0;
  const cards = document.querySelectorAll("article");
  for (const card of cards) {
    const is = card.dataset;
    card.hidden = Boolean((generator && is.generator !== generator) || (state && is.state !== state)
      || !is.digest.startsWith(digest) || (asked.get("copies") && is.copy !== "1"));
    count += !card.hidden;
  }
  for (const failed of document.querySelectorAll(".failed")) {
    failed.hidden = Boolean(generator && failed.dataset.generator !== generator);
  }
  document.getElementById("found").textContent = `${count} of the ${cards.length} in this folder`;
}
form.addEventListener("submit", show);
form.addEventListener("input", show);
form.addEventListener("change", show);
