// The page: pass the drawing through the network and show the prediction.
"use strict";

const DIGITS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
// Canvas pixels: a digit that fills 0.6 of the area then has as much ink as MNIST's on average.
const PEN_WIDTH = 40;
const DOT = 1.5 * PEN_WIDTH; // ink shorter than this is not a digit yet
const PAUSE = 150; // ms without change before the slower parts are updated

const element = (id) => document.getElementById(id);
const given = JSON.parse(element("network").textContent);
const network = readNetwork(given);
const mosaic = new Mosaic(element("mosaic"), network.layers[0]);

// reading: null, or {image, pass, probabilities, order}, where order has the digits in descending
// order of probability.  target: a digit, or null for the second most probable.  unit: the selected
// unit of the first layer.
const state = {
  reading: null,
  isDot: false,
  colours: palette(),
  target: null,
  unit: 0,
  follow: true,
};

// --------------------------------------------------------------------------------------- texts

function percent(p) {
  const hundredth = 100 * p;
  if (hundredth > 0 && hundredth < 0.1) return "<\u00a00.1\u00a0%";
  return `${hundredth.toFixed(hundredth > 99.9 && p < 1 ? 2 : 1)}\u00a0%`;
}

const a = (digit) => `${digit === 8 ? "an" : "a"} ${digit}`;

const isSure = ({ probabilities, order }) => probabilities[order[0]] >= given.sure;

// The verdict as [answer, headline, explanation].
function verdict({ reading, isDot }) {
  if (reading === null) return ["–", "Nothing drawn yet", "Draw one digit, as large as you like."];
  if (isDot) return ["·", "Only a dot so far", "Continue: a digit needs a longer stroke."];
  const { probabilities, order } = reading;
  const [first, second] = order;
  if (isSure(reading)) return [first, `It is ${a(first)}`, `${percent(probabilities[first])} sure.`];
  return [
    "?",
    `Unsure: ${first} or ${second}?`,
    `${percent(probabilities[first])} for ${first}, ${percent(probabilities[second])} for ${second}. ` +
      `It names a digit only from ${Math.round(100 * given.sure)}\u00a0% on.`,
  ];
}

function say(text) {
  element("status").textContent = text;
}

// ------------------------------------------------------------------------------------- showing

function build() {
  for (const digit of DIGITS) {
    const row = document.createElement("li");
    row.innerHTML =
      `<span>${digit}</span> <span class="track"><span class="bar"></span></span> ` +
      `<span class="percent"></span>`;
    element("bars").append(row);
  }
  for (const target of ["runner-up", ...DIGITS]) {
    const choice = document.createElement("label");
    choice.innerHTML = `<input type="radio" name="target" value="${target}"><span>${target}</span>`;
    choice.firstChild.checked = target === "runner-up";
    element("targets").append(choice);
  }
  network.layers.slice(0, -1).forEach((layer, l) => {
    const figure = document.createElement("figure");
    figure.innerHTML = `<figcaption></figcaption><canvas role="img"></canvas>`;
    figure.lastChild.setAttribute("aria-label", `Activations of hidden layer ${l + 1}`);
    element("layers").append(figure);
  });
  if (network.layers.length === 1) document.querySelector(".hidden-layers").remove();
  element("unit").max = network.layers[0].nOut;
  element("about").textContent = given.about;
}

function showReading() {
  const { reading, isDot } = state;
  const [answer, headline, explanation] = verdict(state);
  element("answer").textContent = answer;
  element("says").replaceChildren(
    Object.assign(document.createElement("b"), { textContent: headline }),
    Object.assign(document.createElement("span"), { textContent: explanation }),
  );
  document.body.classList.toggle("blank", reading === null);
  document.body.classList.toggle("doubtful", reading !== null && (isDot || !isSure(reading)));
  [...element("bars").children].forEach((row, digit) => {
    const p = reading === null ? 0 : reading.probabilities[digit];
    row.classList.toggle("best", reading !== null && digit === reading.order[0]);
    row.querySelector(".bar").style.setProperty("--p", p);
    row.querySelector(".percent").textContent = reading === null ? "–" : percent(p);
  });
  if (reading === null) erase(element("seen"));
  else drawInk(element("seen"), reading.image, state.colours);
}

function showLayers() {
  [...element("layers")?.children ?? []].forEach((figure, l) => {
    const n = network.layers[l].nOut;
    const activations = state.reading?.pass.a[l] ?? new Float32Array(n);
    const active = activations.filter((value) => value > 0).length;
    const { name } = network.layers[l];
    figure.firstChild.innerHTML =
      `<b>Layer ${l + 1}</b> <span class="small">${n} units, ${name.replace("_", " ")}` +
      (state.reading === null ? "" : `: ${active} above zero`) + "</span>";
    drawCells(figure.lastChild, activations, state.colours);
  });
}

function showFirstLayer() {
  const activations = state.reading?.pass.a[0] ?? null;
  if (activations !== null && state.follow) state.unit = activations.indexOf(Math.max(...activations));
  element("unit").value = state.unit + 1;
  element("unit").setAttribute("aria-valuetext", `unit ${state.unit + 1}`);
  let text = `Unit ${state.unit + 1} of ${network.layers[0].nOut}`;
  if (activations !== null) {
    const here = activations[state.unit];
    const above = activations.filter((value) => value > here).length;
    text += `: activation ${here.toFixed(2)}, `;
    text += above === 0 ? "the most active" : `${above} are more active`;
  }
  element("unit-says").textContent = text;
  drawSigned(element("unit-weights"), mosaic.weights(state.unit), state.colours);
  element("unit-weights").setAttribute("aria-label", `Weights of unit ${state.unit + 1}`);
  mosaic.draw(activations, state.unit, state.colours);
}

// Return the chosen digit, or the second most probable, and the best of the others.
function goal({ probabilities, order }) {
  const wanted = state.target ?? order[1];
  return { wanted, rival: bestBut(probabilities, wanted) };
}

function showGradient() {
  const { reading } = state;
  if (reading === null) {
    erase(element("gradient"));
    erase(element("changed"));
    element("change-says").textContent = "Draw a digit to see which change would make it another one.";
    return;
  }
  const { wanted, rival } = goal(reading);
  const gradient = inputGradient(network, reading.pass, wanted, rival);
  drawSigned(element("gradient"), gradient, state.colours, reading.image);
}

function showChange() {
  const { reading } = state;
  if (reading === null) return;
  const { wanted, rival } = goal(reading);
  const changed = changeOfMind(network, reading.image, wanted);
  if (changed === null) {
    erase(element("changed"));
    element("change-says").textContent = `No small change was found that makes it ${a(wanted)}.`;
    return;
  }
  drawInk(element("changed"), changed.image, state.colours);
  if (wanted === reading.order[0]) {
    element("change-says").textContent =
      `The prediction is ${wanted} already: the left image shows what would raise its probability, ` +
      `compared with ${rival}.`;
    return;
  }
  const ink = reading.image.reduce((sum, one) => sum + one, 0);
  const moved = reading.image.reduce((sum, one, k) => sum + Math.abs(one - changed.image[k]), 0);
  element("change-says").textContent =
    `A change of ${percent(moved / ink)} of the ink, where it has the most effect, turns the ` +
    `prediction from ${reading.order[0]} into ${wanted}: the right image.`;
}

// ------------------------------------------------------------------------------------ following

let frame = 0;
let pause = 0;

function read() {
  frame = 0;
  const canvas = element("drawing");
  const found = centred(pen.ink(), canvas.width, canvas.height);
  state.reading = null;
  state.isDot = found !== null && found.length <= DOT;
  if (found !== null) {
    const pass = forward(network, found.image);
    const probabilities = pass.a.at(-1);
    state.reading = { image: found.image, pass, probabilities, order: ranking(probabilities) };
  }
  show();
}

function show() {
  showReading();
  showLayers();
  showFirstLayer();
  showGradient();
  clearTimeout(pause);
  pause = setTimeout(settle, PAUSE);
}

function settle() {
  showChange();
  const [, headline, explanation] = verdict(state);
  say(`${headline}. ${explanation}`);
}

function soon() {
  frame ||= requestAnimationFrame(read);
}

function lookAgain() {
  state.colours = palette();
  mosaic.prepare(state.colours);
  show();
}

function select(unit) {
  state.unit = unit;
  state.follow = element("follow").checked = false;
  showFirstLayer();
}

build();
const pen = new Pen(element("drawing"), document.querySelector(".cursor"), PEN_WIDTH, say);
element("drawing").addEventListener("input", soon);
element("undo").addEventListener("click", () => pen.undo());
element("clear").addEventListener("click", () => pen.clear());
addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  pen.undo();
});
element("targets").addEventListener("change", (event) => {
  state.target = event.target.value === "runner-up" ? null : Number(event.target.value);
  showGradient();
  showChange();
});
element("unit").addEventListener("input", (event) => select(Number(event.target.value) - 1));
element("follow").addEventListener("change", (event) => {
  state.follow = event.target.checked;
  showFirstLayer();
});
element("mosaic").addEventListener("click", (event) => {
  const unit = mosaic.unitAt(event);
  if (unit !== null) select(unit);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", lookAgain);
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) lookAgain(); // not when a phone's address bar appears or disappears
  width = innerWidth;
});
lookAgain();
