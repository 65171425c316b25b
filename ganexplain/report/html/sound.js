"use strict";
document.documentElement.classList.add("js");

// --- Sound: one at a time, with a playhead over the picture.
let playing = null;
let listened = null; // the row last played: what X switches

function stop() {
  if (!playing) return;
  const { button, audio, panel } = playing;
  playing = null;
  audio.pause();
  audio.currentTime = 0;
  button.setAttribute("aria-pressed", "false");
  panel.classList.remove("playing");
}

function follow(mine) {
  if (playing !== mine) return;
  const { from, to, width } = mine.line.dataset;
  const share = (mine.audio.currentTime - from) / (to - from);
  const x = Math.min(1, Math.max(0, share)) * width;
  mine.line.setAttribute("transform", `translate(${x.toFixed(2)} 0)`);
  requestAnimationFrame(() => follow(mine));
}

function hear(audio, seconds) {
  playing.audio = audio;
  audio.onended = stop;
  audio.currentTime = seconds;
  audio.play().catch(() => {
    if (playing && playing.audio === audio) stop(); // else another sound has taken its place
  });
}

function start(button) {
  stop();
  const panel = button.closest(".panel");
  playing = { button, panel, line: panel.querySelector(".playhead") };
  listened = panel.closest(".row");
  button.setAttribute("aria-pressed", "true");
  panel.classList.add("playing");
  hear(sounding(panel, button), 0);
  follow(playing);
}

function toggle(button) {
  if (playing && playing.button === button) stop();
  else start(button);
}

// --- A/B: a row shows and plays the real excerpts of its columns in place of its own.
const reals = [...document.querySelectorAll(".row.real .panel")];
const parts = [".origin", ".response"];
const own = new WeakMap(); // what a panel showed before

function counterpart(panel) {
  return reals[[...panel.parentElement.children].indexOf(panel)];
}

function sounding(panel, button) {
  const real = panel.classList.contains("switched") && counterpart(panel);
  if (!real) return button.parentElement.querySelector("audio");
  return [...real.querySelectorAll("audio")].pop(); // made from the picture, as its own is
}

function describe(panel) {
  const picture = panel.querySelector(".picture");
  return {
    source: picture.querySelector("image").getAttribute("href"),
    label: picture.getAttribute("aria-label"),
    texts: parts.map((part) => panel.querySelector(part).textContent),
  };
}

function dress(panel, shown) {
  const picture = panel.querySelector(".picture");
  picture.querySelector("image").setAttribute("href", shown.source);
  picture.setAttribute("aria-label", shown.label);
  parts.forEach((part, index) => (panel.querySelector(part).textContent = shown.texts[index]));
}

function switchRow(row) {
  const button = row && row.querySelector(".switch");
  if (!button) return;
  const real = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(real));
  for (const panel of row.querySelectorAll(".panel")) {
    if (!counterpart(panel)) continue;
    if (real) own.set(panel, describe(panel));
    dress(panel, real ? describe(counterpart(panel)) : own.get(panel));
    panel.classList.toggle("switched", real);
  }
  if (!playing || playing.panel.closest(".row") !== row) return;
  const before = playing.audio;
  const seconds = before.currentTime;
  before.onended = null;
  before.pause();
  hear(sounding(playing.panel, playing.button), seconds);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest(".play");
  const picture = event.target.closest(".panel .picture");
  const side = event.target.closest(".switch");
  if (button) toggle(button);
  else if (side) switchRow(side.closest(".row"));
  else if (picture) {
    const first = picture.closest(".panel").querySelector(".play");
    if (first) toggle(first);
  }
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Escape") stop();
  if (event.key !== "x" && event.key !== "X") return;
  const focused = document.activeElement.closest(".row");
  const rows = [playing && listened, focused, listened, document.querySelector(".row.chosen")];
  switchRow(rows.find((row) => row && row.isConnected && row.querySelector(".switch")));
});
