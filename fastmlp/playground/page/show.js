// What the page shows of the training, in `state` of playground.js.
"use strict";

const element = (id) => document.getElementById(id);

const percent = (part) => `${(100 * part).toFixed(1)}\u00a0%`;

function showFigures() {
  const { trainer, isRunning } = state;
  const figures = isRunning ? trainer.curves.at(-1) : trainer.measure();
  element("epoch").textContent = trainer.epoch.toLocaleString("en");
  element("updates").textContent = trainer.updates.toLocaleString("en");
  element("training-cost").textContent = shown(figures.training);
  element("test-cost").textContent = shown(figures.test);
  element("training-accuracy").textContent = percent(figures.trainingAccuracy);
  element("test-accuracy").textContent = percent(figures.testAccuracy);
}

// Show the decision surface with its points, and each unit's activation over the plane.
function showPlane(context, size, rows) {
  const { trainer, colours, view } = state;
  const a = trainer.activationsAt(GRID_POINTS);
  paintSurface(element("plane"), a.at(-1), colours);
  drawPoints(context, size, trainer.set, rows, rows[view.example], colours);
  diagram.inputs.forEach((input, j) =>
    paintUnit(input.firstChild, GRID_POINTS.map((point) => point[j]), GRID, colours));
  diagram.units.forEach((units, l) => units.forEach((unit, i) =>
    paintUnit(unit.firstChild, a[l + 1].map((values) => values[i]), GRID, colours)));
}

// Show the digits of the batch, the first layer's weights as images, and each other unit's
// activation for the selected digit.
function showDigits(context, size, rows) {
  const { trainer, colours, view } = state;
  const { set, record, network } = trainer;
  const a = record ? record.pass.a : trainer.activationsAt(rows.map((n) => set.X[n]));
  drawDigits(context, size, set, rows, a.at(-1), view.example, colours);
  const image = set.X[rows[view.example]];
  paint(diagram.inputs[0].firstChild, SIDE, (k) => [colours.ink, image[k]], false);
  diagram.units.forEach((units, l) => units.forEach((unit, i) => {
    if (l === 0) paintUnit(unit.firstChild, network.weights[0][i], SIDE, colours);
    else {
      const values = a[l + 1][view.example];
      paintActivation(unit.firstChild, values[i], largest(values) || 1, colours);
    }
  }));
}

function showPictures() {
  const { set, record } = state.trainer;
  const size = element("plane").clientWidth;
  const context = sized(element("plane"), size);
  if (set.isPlane) showPlane(context, size, record?.rows ?? []);
  else showDigits(context, size, record?.rows ?? range(25));
}

// Return what the diagram shows at a step: a number for each unit, and a matrix for each layer.
function diagramView() {
  const { trainer, view } = state;
  const { record, network } = trainer;
  const of = (rows) => rows.map((values) => values[view.example]);
  switch (view.step) {
    case 0:
      return [null, "", network.weights, "Lines: weights W."];
    case 1:
      return [of(record.pass.a).slice(1), "a", record.before.weights,
        "Numbers: a. Lines: weights W."];
    case 2: {
      const values = network.weights.map(() => null);
      values[values.length - 1] = record.deltaOut[view.example];
      return [values, "δ", record.before.weights, "Numbers: δ of the output. Lines: weights W."];
    }
    case 3:
      return [of(record.back.deltas), "δ", record.before.weights, "Numbers: δ. Lines: weights W."];
    case 4: {
      const gradients = record.back.deltasU.map((delta, l) =>
        exampleGradient(delta[view.example], record.pass.a[l][view.example]));
      return [of(record.back.deltas), "δ", gradients,
        "Numbers: δ. Lines: the example’s gradients ∂J(x,y)/∂W."];
    }
    case 5:
      return [record.gradients.biases, "∂J/∂b", record.gradients.weights,
        "Numbers: ∂J/∂b. Lines: the batch’s gradients ∂J/∂W."];
    case 6:
      return [record.after.biases, "b", record.after.weights, "Numbers: b. Lines: new weights W."];
    default:
      return [of(record.pass.a).slice(1), "a", record.after.weights,
        "Numbers: a of step 1. Lines: new weights W."];
  }
}

function showDiagram() {
  const [values, name, matrices, says] = diagramView();
  diagram.label(values, name, state.view);
  diagram.connect(matrices, state.colours);
  element("diagram-says").textContent = says;
}

function showExample() {
  const { trainer, view } = state;
  const { set, record } = trainer;
  element("example").value = view.example + 1;
  element("example").disabled = record === null;
  element("plane-says").textContent = set.isPlane
    ? "The colour is the predicted class; points are training examples, the batch's outlined."
    : "Wrong predictions are framed.";
  let says = "The first step chooses a batch of training examples.";
  if (record) {
    const n = record.rows[view.example];
    const predicted = indexOfLargest(record.pass.a.at(-1)[view.example]);
    const x = Array.from(set.X[n], (value) => shown(value)).join(", ");
    says = `Example ${view.example + 1} of ${record.rows.length}, `;
    says += `number ${n + 1} of the training set`;
    says += set.isPlane
      ? `, x = (${x}): class ${set.y[n] + 1}, predicted class ${predicted + 1}.`
      : `: a ${set.y[n]}, predicted ${predicted}.`;
  }
  element("example-says").textContent = says;
  element("plane").setAttribute("aria-label", says);
}

function showSteps() {
  const { trainer, view } = state;
  [...element("steps").children].forEach((item, k) => {
    const button = item.firstChild;
    button.disabled = k + 1 > trainer.done;
    if (k + 1 === view.step) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  });
  element("formula").textContent = view.step === 0
    ? "Press “Next step” for the forward pass of a first batch."
    : `${view.step}  ${formulaOf(view.step, trainer.settings.loss)}`;
  element("tables").innerHTML = view.step === 0 ? "" : numbersOf(view.step, trainer, view);
}

function showCurves() {
  const { curves } = state.trainer;
  drawCurves(element("curves"), curves, state.colours);
  const { training, test } = curves.at(-1);
  element("curves").setAttribute(
    "aria-label", `Cost J, at last ${shown(training)} in training, ${shown(test)} on the test set`);
}

function show(withTables = true) {
  showFigures();
  showPictures();
  showDiagram();
  showCurves();
  if (!withTables) return;
  showExample();
  showSteps();
}

function say() {
  const { trainer, view } = state;
  const what = view.step ? `Step ${view.step}, ${STEPS[view.step - 1].name}. ` : "";
  element("status").textContent =
    `${what}${trainer.updates} updates, J ${element("training-cost").textContent} in training.`;
}
