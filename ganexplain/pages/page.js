"use strict";
document.documentElement.classList.add("js");

// --- Sound: one at a time, with a playhead over the picture.
let playing = null;

function stop() {
  if (!playing) return;
  const { button, audio, panel } = playing;
  playing = null;
  audio.pause();
  audio.currentTime = 0;
  button.setAttribute("aria-pressed", "false");
  panel.classList.remove("playing");
}

function follow() {
  if (!playing) return;
  const { audio, line } = playing;
  const { from, to, width } = line.dataset;
  const share = (audio.currentTime - from) / (to - from);
  const x = Math.min(1, Math.max(0, share)) * width;
  line.setAttribute("transform", `translate(${x.toFixed(2)} 0)`);
  requestAnimationFrame(follow);
}

function start(button) {
  stop();
  const panel = button.closest(".panel");
  const audio = button.parentElement.querySelector("audio");
  playing = { button, audio, panel, line: panel.querySelector(".playhead") };
  button.setAttribute("aria-pressed", "true");
  panel.classList.add("playing");
  audio.onended = stop;
  audio.play().then(follow, stop);
}

function toggle(button) {
  if (playing && playing.button === button) stop();
  else start(button);
}

for (const panel of document.querySelectorAll(".panel")) {
  const buttons = panel.querySelectorAll(".play");
  for (const button of buttons) button.addEventListener("click", () => toggle(button));
  panel.querySelector(".picture").addEventListener("click", () => toggle(buttons[0]));
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") stop();
});

// --- Heat maps: the setting under the pointer or the focus, in words and in both maps.
const cells = [...document.querySelectorAll(".cell")];
const readout = document.createElement("p");
readout.className = "readout";
readout.setAttribute("aria-hidden", "true"); // the cells carry the same words as labels

function show(cell) {
  readout.textContent = cell.getAttribute("aria-label");
  for (const other of cells) {
    other.classList.toggle("also", other !== cell && other.dataset.setting === cell.dataset.setting);
  }
}

function neighbour(cell, dx, dy) {
  const box = (c) => c.getBoundingClientRect();
  const here = box(cell);
  let best = null;
  let least = Infinity;
  for (const other of cell.parentElement.querySelectorAll(".cell")) {
    const there = box(other);
    const along = (there.x - here.x) * dx + (there.y - here.y) * dy;
    const aside = Math.abs((there.x - here.x) * dy) + Math.abs((there.y - here.y) * dx);
    if (along > 1 && along + 4 * aside < least) [best, least] = [other, along + 4 * aside];
  }
  return best;
}

const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
for (const cell of cells) {
  // The label says it all; a native tooltip beside the line below would say it twice.
  cell.querySelector("title").remove();
  cell.addEventListener("pointerenter", () => show(cell));
  cell.addEventListener("focus", () => show(cell));
  cell.addEventListener("keydown", (event) => {
    const other = arrows[event.key] && neighbour(cell, ...arrows[event.key]);
    if (!other) return;
    event.preventDefault();
    cell.setAttribute("tabindex", "-1");
    other.setAttribute("tabindex", "0");
    other.focus();
  });
}
if (cells.length) {
  document.querySelector(".heat-map").closest(".pair").after(readout);
  show(document.querySelector(".cell.chosen"));
}
