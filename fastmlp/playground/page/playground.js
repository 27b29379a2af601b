// The page: settings, training, buttons and keys.
"use strict";

const MOST_LAYERS = 4;
const MOST_UNITS = 16;
const FRAME = 30; // ms of training at most before the page is drawn again
const TABLES_EVERY = 12; // frames between two updates of the tables while it runs

const digits = JSON.parse(element("digits").textContent);
const diagram = new Diagram(element("diagram"), (layer, unit) => {
  Object.assign(state.view, { layer, unit });
  show();
});

// view: the step of which the numbers are shown (0 before the first), the example's place in the
// batch, and the selected unit, number `unit` of layer `layer` + 2, both from 0.
const state = {
  trainer: null,
  isRunning: false,
  colours: palette(),
  view: { step: 0, example: 0, layer: 0, unit: 0 },
};

// ------------------------------------------------------------------------------------- settings

// Return the numbers of units, or null if the text is none.
function hiddenOf(text) {
  const numbers = text.split(/[\s,]+/).filter(Boolean).map(Number);
  const isValid = numbers.every((n) => Number.isInteger(n) && n >= 1 && n <= MOST_UNITS);
  return isValid && numbers.length <= MOST_LAYERS ? numbers : null;
}

function settings() {
  const number = (id) => Number(element(id).value);
  const batchNorm = element("batch-norm").checked;
  return {
    set: element("set").value,
    hidden: hiddenOf(element("hidden").value),
    activation: element("activation").value,
    loss: element("loss").value,
    learningRate: number("learning-rate"),
    lambda: number("lambda"),
    batchSize: Math.max(number("batch-size"), batchNorm ? 2 : 1), // the variance needs two examples
    batchNorm,
    seed: Math.max(0, Math.floor(number("seed"))),
  };
}

function restart() {
  const chosen = settings();
  element("hidden").setCustomValidity(chosen.hidden ? "" : element("hidden-help").textContent);
  if (!chosen.hidden) {
    pause();
    element("warning").textContent =
      `Hidden layers must be up to ${MOST_LAYERS} whole numbers from 1 to ${MOST_UNITS}, ` +
      "separated by commas.";
    return;
  }
  pause();
  element("batch-size").value = chosen.batchSize;
  const set = makeSet(chosen.set, chosen.seed, digits);
  state.trainer = new Trainer(chosen, set);
  state.view = { step: 0, example: 0, layer: 0, unit: 0 };
  element("warning").textContent = "";
  element("example").max = chosen.batchSize;
  diagram.build(state.trainer.network, set.isPlane);
  show();
}

// -------------------------------------------------------------------------------------- training

function check() {
  if (state.trainer.isFinite()) return;
  pause();
  element("warning").textContent =
    "The weights are no longer finite numbers: choose a smaller learning rate and start again.";
}

function nextStep() {
  pause();
  state.trainer.step();
  state.view.step = state.trainer.done;
  check();
  show();
  say();
}

function oneUpdate() {
  pause();
  state.trainer.update();
  state.view.step = 7;
  check();
  show();
  say();
}

let frames = 0;
function frame() {
  if (!state.isRunning) return;
  const end = performance.now() + FRAME;
  const most = Number(element("speed").value);
  for (let k = 0; k < most && performance.now() < end; k++) state.trainer.update();
  state.view.step ||= 7;
  check();
  if (!state.isRunning) return show();
  show(frames++ % TABLES_EVERY === 0);
  requestAnimationFrame(frame);
}

function run() {
  if (!state.trainer.isFinite()) return;
  state.isRunning = true;
  element("run").textContent = "Pause";
  requestAnimationFrame(frame);
}

function pause() {
  if (!state.isRunning) return;
  state.isRunning = false;
  element("run").textContent = "Run";
}

function toggle() {
  if (!state.isRunning) return run();
  pause();
  show();
  say();
}

function showStep(step) {
  if (step > state.trainer.done) return;
  state.view.step = step;
  show();
}

// Select the example of the batch that was clicked, or the nearest in the plane.
function pick(event) {
  const { record, set } = state.trainer;
  if (record === null) return;
  const size = element("plane").clientWidth;
  if (set.isPlane) {
    const distances = record.rows.map((n) => {
      const [x, y] = [onCanvas(set.X[n][0], size), size - onCanvas(set.X[n][1], size)];
      return Math.hypot(x - event.offsetX, y - event.offsetY);
    });
    state.view.example = distances.indexOf(Math.min(...distances));
  } else {
    const columns = digitColumns(record.rows.length);
    const cell = size / columns;
    const at = Math.floor(event.offsetY / cell) * columns + Math.floor(event.offsetX / cell);
    if (at < record.rows.length) state.view.example = at;
  }
  show();
}

const ACTIONS = { toggle, step: nextStep, update: oneUpdate, restart };
const KEYS = { r: "toggle", s: "step", u: "update", 0: "restart" };

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input:not([type=checkbox]), select")) return;
  const key = event.key.toLowerCase();
  if (/^[1-7]$/.test(key)) showStep(Number(key));
  else ACTIONS[KEYS[key]]?.();
}

function lookAgain() {
  state.colours = palette();
  show();
}

STEPS.forEach(({ name }, k) => {
  const item = document.createElement("li");
  item.innerHTML = `<button type="button"><b>${k + 1}</b> <span>${name}</span></button>`;
  item.firstChild.addEventListener("click", () => showStep(k + 1));
  element("steps").append(item);
});
for (const button of document.querySelectorAll("[data-action]")) {
  button.addEventListener("click", ACTIONS[button.dataset.action]);
}
element("settings").addEventListener("change", restart);
element("settings").addEventListener("submit", (event) => event.preventDefault());
element("example").addEventListener("input", (event) => {
  state.view.example = Number(event.target.value) - 1;
  show();
});
element("plane").addEventListener("click", pick);
addEventListener("keydown", pressed);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", lookAgain);
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) lookAgain(); // not when a phone's address bar appears or disappears
  width = innerWidth;
});
restart();
