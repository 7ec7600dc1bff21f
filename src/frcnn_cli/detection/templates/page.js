"use strict";
const find = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const figures = all("figure"), slider = find("input"), dialog = find("dialog");
const boxes = all("figure g").map((g) => ({g, score: Number(g.dataset.score), label: g.dataset.label}));
const hidden = new Set();
let current = -1;

const counted = (number, noun, nouns) => `${number.toLocaleString("en")} ${number === 1 ? noun : nouns}`;
const words = (number) => counted(number, "box", "boxes");

function chips() {
  const colours = new Map(boxes.map((each) => [each.label, each.g.style.getPropertyValue("--colour")]));
  const totals = new Map();
  for (const {label} of boxes) totals.set(label, (totals.get(label) || 0) + 1);
  for (const [label] of [...totals].sort((a, b) => b[1] - a[1])) {
    const chip = document.createElement("button"), number = document.createElement("b");
    chip.type = "button";
    chip.dataset.label = label;
    chip.style.setProperty("--colour", colours.get(label));
    chip.append(document.createElement("i"), label, number);
    chip.onclick = (event) => {
      // With a modifier: this class alone, or all of them again.
      const others = [...totals.keys()].filter((each) => each !== label);
      if (event.shiftKey || event.ctrlKey || event.metaKey) {
        const alone = !hidden.has(label) && others.every((each) => hidden.has(each));
        hidden.clear();
        if (!alone) others.forEach((each) => hidden.add(each));
      } else if (!hidden.delete(label)) hidden.add(label);
      update();
    };
    chip.title = "Click: hide or show. Shift-click: this class alone.";
    find(".classes").append(chip);
  }
}

function update() {
  const least = Number(slider.value), numbers = new Map();
  let shown = 0, images = 0;
  find("output").value = least.toFixed(2);
  for (const {g, score, label} of boxes) {
    // The slider moves in hundredths: its first position shows everything.
    const counts = score >= least || slider.value === slider.min;
    if (counts) numbers.set(label, (numbers.get(label) || 0) + 1);
    g.classList.toggle("off", !counts || hidden.has(label));
  }
  for (const figure of figures) {
    const number = all("g:not(.off)", figure).length;
    shown += number;
    images += number > 0;
    figure.classList.toggle("empty", number === 0);
    find(".number", figure).textContent = words(number);
  }
  find("h1").textContent = `${words(shown)} in ${images.toLocaleString("en")} of ${counted(figures.length, "image", "images")}`;
  for (const chip of all(".classes button")) {
    chip.setAttribute("aria-pressed", String(!hidden.has(chip.dataset.label)));
    find("b", chip).textContent = (numbers.get(chip.dataset.label) || 0).toLocaleString("en");
  }
  if (dialog.open) open(current);
}

function fit(svg) {
  const {width, height} = svg.viewBox.baseVal, box = svg.getBoundingClientRect();
  if (box.width) svg.style.setProperty("--unit", Math.max(width / box.width, height / box.height));
}

function open(number) {
  current = (number + figures.length) % figures.length;
  const figure = figures[current], svg = find("svg", figure).cloneNode(true);
  find(".view").replaceChildren(svg);
  const [name, count] = all(".caption span");
  name.textContent = `${find("figcaption span", figure).textContent} (${current + 1} of ${figures.length})`;
  count.textContent = find(".number", figure).textContent;
  if (!dialog.open) dialog.showModal();
  fit(svg);
}

function step(by) {
  const least = Number(slider.min);
  slider.value = Math.max(least, Number(slider.value) + by);
  update();
}

chips();
update();
slider.oninput = update;
const sizes = new ResizeObserver((entries) => entries.forEach((entry) => fit(entry.target)));
figures.forEach((figure, number) => {
  sizes.observe(find("svg", figure));
  find("button", figure).onclick = () => open(number);
});
addEventListener("resize", () => dialog.open && fit(find("svg", dialog)));
find(".previous").onclick = () => open(current - 1);
find(".next").onclick = () => open(current + 1);
find(".close").onclick = () => dialog.close();
dialog.onclose = () => find("button", figures[current]).focus();
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "-") step(-0.05);
  if (event.key === "+" || event.key === "=") step(0.05);
  if (dialog.open && event.key === "ArrowLeft") open(current - 1);
  if (dialog.open && event.key === "ArrowRight") open(current + 1);
});
