// --- The grid: one map at a time; behind each cell its numbers, and its examples on a click.
const cells = [...document.querySelectorAll(".cell")];
const readout = document.querySelector(".readout");
const explored = document.querySelector(".explored");
const said = document.querySelector(".unseen[role=status]");

function held(cell, selector) {
  const template = document.getElementById(`setting-${cell.dataset.setting}`);
  return template.content.querySelector(selector).cloneNode(true);
}

function show(cell) {
  readout.replaceChildren(held(cell, ".numbers"));
  for (const other of cells) {
    other.classList.toggle("also", other.dataset.setting === cell.dataset.setting);
  }
}

function explore(cell) {
  if (playing && explored.contains(playing.panel)) stop();
  const row = held(cell, ".row");
  const real = document.querySelector(".row.real").cloneNode(true);
  for (const part of real.querySelectorAll(".playing")) part.classList.remove("playing");
  for (const part of real.querySelectorAll("[aria-pressed]")) part.setAttribute("aria-pressed", "false");
  real.removeAttribute("aria-labelledby");
  real.querySelector("h3").removeAttribute("id");
  real.querySelector(".note")?.remove();
  explored.replaceChildren(row, real);
  for (const other of cells) {
    other.setAttribute("aria-pressed", String(other.dataset.setting === cell.dataset.setting));
  }
  const setting = row.querySelector(".setting");
  said.textContent = setting ? `Shown below: ${setting.textContent}` : row.textContent;
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

function enter(cell) {
  for (const other of cell.parentElement.querySelectorAll(".cell")) {
    other.setAttribute("tabindex", other === cell ? "0" : "-1");
  }
  cell.focus();
}

for (const cell of cells) {
  // The numbers beside the map say it all; a native tooltip would say it twice.
  cell.querySelector("title").remove();
  cell.setAttribute("aria-pressed", "false");
  cell.addEventListener("pointerenter", () => show(cell));
  cell.addEventListener("focus", () => show(cell));
  cell.addEventListener("click", () => explore(cell));
  cell.addEventListener("keydown", (event) => {
    const other = arrows[event.key] && neighbour(cell, ...arrows[event.key]);
    if (other) enter(other);
    else if (event.key === "Enter" || event.key === " ") explore(cell);
    else return;
    event.preventDefault();
  });
}

for (const choice of document.querySelectorAll(".choice input")) {
  choice.addEventListener("change", () => {
    for (const map of document.querySelectorAll(".map")) {
      map.classList.toggle("shown", map.id === `map-${choice.value}`);
    }
  });
}
const first = document.querySelector(".cell.chosen");
show(first);
explore(first);
said.textContent = "";
