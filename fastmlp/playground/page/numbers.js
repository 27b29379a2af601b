// The seven steps in numbers: for each step its formula, the sum behind one unit's number term by
// term, and the numbers of all layers, as HTML.
"use strict";

const STEPS = [
  { name: "Forward", formula: "z(l+1) = W(l) a(l) + b(l),  a(l+1) = f(z(l+1)),  a(1) = x" },
  { name: "Output delta", formula: "δ(nl) = −(y − a(nl)) ∘ f′(z(nl))" },
  { name: "Hidden deltas", formula: "δ(l) = (W(l)ᵀ δ(l+1)) ∘ f′(z(l)),  l = nl−1, …, 2" },
  {
    name: "Example’s gradients",
    formula: "∂J(x,y)/∂W(l) = δ(l+1) a(l)ᵀ,  ∂J(x,y)/∂b(l) = δ(l+1)",
  },
  {
    name: "Batch’s gradients",
    formula: "∂J/∂W(l) = 1/m Σ δ(l+1) a(l)ᵀ + λ W(l),  ∂J/∂b(l) = 1/m Σ δ(l+1)",
  },
  { name: "Update", formula: "W(l) ← W(l) − α ∂J/∂W(l),  b(l) ← b(l) − α ∂J/∂b(l)" },
  { name: "Cost, and repeat", formula: "J = 1/m Σ ½‖y − a(nl)‖² + λ/2 Σ W²;  again from 1" },
];
const CROSS_ENTROPY = {
  1: "δ(nl) = a(nl) − y  (cross-entropy of softmax)",
  6: "J = 1/m Σ (−Σ y log a(nl)) + λ/2 Σ W²;  again from 1",
};

const formulaOf = (step, loss) =>
  (loss === "cross_entropy" && CROSS_ENTROPY[step - 1]) || STEPS[step - 1].formula;

const withMinus = (text) => text.replaceAll("-", "−");

// Return a number with four decimal places, or three digits if it is small.
function shown(value) {
  const size = Math.abs(value);
  if (value === 0 || (size >= 0.1 && size < 1e5)) return withMinus(value.toFixed(4));
  if (size >= 1e-4 && size < 0.1) return withMinus(value.toPrecision(3));
  return withMinus(value.toExponential(2));
}

// Return a number for a narrow place.
function shortly(value) {
  const size = Math.abs(value);
  const isPlain = value === 0 || (size >= 0.005 && size < 1000);
  return withMinus(isPlain ? value.toFixed(2) : value.toExponential(0));
}

// Return a row of a table; the first cell is its heading.
const row = ([heading, ...cells]) =>
  `<tr><th scope="row">${heading}</th>` +
  cells.map((cell) => `<td>${typeof cell === "number" ? shown(cell) : cell}</td>`).join("") +
  "</tr>";

const scrollable = (caption, content) =>
  `<div class="scroll" tabindex="0" role="group" aria-label="${caption}"><table>` +
  `<caption>${caption}</caption>${content}</table></div>`;

const table = (caption, head, rows, foot = []) =>
  scrollable(
    caption,
    `<thead><tr>${head.map((cell) => `<th scope="col">${cell}</th>`).join("")}</tr></thead>` +
      `<tbody>${rows.map(row).join("")}</tbody><tfoot>${foot.map(row).join("")}</tfoot>`,
  );

// Return the vectors of all layers as one table: a name and the numbers of the layer's units.
const layerTable = (caption, vectors) =>
  scrollable(caption, vectors.map(([name, values]) => row([name, ...values])).join(""));

const sub = (letter, i, l) => `${letter}<sub>${i + 1}</sub>(${l})`;
const range = (n) => Array.from({ length: n }, (_, i) => i);

// The functions below return the tables of a step.  e is the example's place in the batch; the
// selected unit is unit i of layer l + 2, so that W = weights[l] leads to it.

function forwardNumbers({ before, pass }, { example: e, layer: l, unit: i }) {
  const [W, a, z] = [before.weights[l][i], pass.a[l][e], pass.z[l][e][i]];
  const isNormed = before.batchNorm && l < before.weights.length - 1;
  const [b, name] = [before.biases[l][i], functionOf(before, l).replace("_", " ")];
  const foot = [];
  if (isNormed) {
    const { normalized, mean, variance } = pass.norms[l];
    const u = W.reduce((sum, w, j) => sum + w * a[j], 0);
    foot.push(["sum", "", "", u]);
    foot.push(["mean μ, variance σ² of the batch", "", mean[i], variance[i]]);
    foot.push(["û = (u − μ)/√(σ² + ε)", "", "", normalized[e][i]]);
    foot.push(["scale γ, shift b", "", before.scales[l][i], b]);
  } else {
    foot.push([sub("b", i, l + 1), "", "", b]);
  }
  foot.push([sub("z", i, l + 2), "", "", z]);
  foot.push([`${sub("a", i, l + 2)} = f(z), ${name}`, "", "", pass.a[l + 1][e][i]]);
  return (
    table(
      `Unit ${i + 1} of layer ${l + 2}`,
      ["j", `a<sub>j</sub>(${l + 1})`, "W<sub>ij</sub>", "product"],
      range(W.length).map((j) => [j + 1, a[j], W[j], W[j] * a[j]]),
      foot,
    ) +
    layerTable("All layers", pass.z.flatMap((rows, k) => [
      [`z(${k + 2})`, rows[e]],
      [`a(${k + 2})`, pass.a[k + 1][e]],
    ]))
  );
}

function outputNumbers({ before, pass, deltaOut, Y }, { example: e }) {
  const [a, z, y] = [pass.a.at(-1)[e], pass.z.at(-1)[e], Y[e]];
  const nl = before.sizes.length;
  const isSquared = before.loss === "squared_error";
  const slope = isSquared ? slopeOf("sigmoid") : null;
  const head = ["i", "y", `a(${nl})`, ...(isSquared ? ["−(y − a)", "f′(z)"] : []), `δ(${nl})`];
  return table(
    "Units of the output layer",
    head,
    range(y.length).map((i) => [
      i + 1, y[i], a[i], ...(isSquared ? [a[i] - y[i], slope(z[i])] : []), deltaOut[e][i],
    ]),
  );
}

function hiddenNumbers({ before, pass, back }, { example: e, layer: l, unit: j }) {
  const all = layerTable(
    "All layers, from the last back to the first",
    range(back.deltas.length).reverse().map((k) => [`δ(${k + 2})`, back.deltas[k][e]]),
  );
  if (l === before.weights.length - 1) {
    const note = "δ of the output layer comes from step 2. Select a hidden unit to see its sum.";
    return `<p>${note}</p>${all}`;
  }
  const [W, delta] = [before.weights[l + 1], back.deltasU[l + 1][e]];
  const sum = range(W.length).reduce((total, i) => total + W[i][j] * delta[i], 0);
  const foot = [
    ["sum", "", "", sum],
    [`f′(${sub("z", j, l + 2)})`, "", "", slopeOf(functionOf(before, l))(pass.z[l][e][j])],
    [sub("δ", j, l + 2), "", "", back.deltas[l][e][j]],
  ];
  if (before.batchNorm) {
    foot.push(["δ by u, before the normalization", "", "", back.deltasU[l][e][j]]);
  }
  return (
    table(
      `Unit ${j + 1} of layer ${l + 2}`,
      ["j", `W<sub>j${j + 1}</sub>(${l + 2})`, `δ<sub>j</sub>(${l + 3})`, "product"],
      range(W.length).map((i) => [i + 1, W[i][j], delta[i], W[i][j] * delta[i]]),
      foot,
    ) + all
  );
}

function exampleNumbers({ before, pass, back }, { example: e, layer: l, unit: i }) {
  const [a, delta] = [pass.a[l][e], back.deltasU[l][e]];
  const gradient = exampleGradient(delta, a)[i];
  return table(
    `Weights into unit ${i + 1} of layer ${l + 2}`,
    ["j", `δ<sub>${i + 1}</sub>(${l + 2})`, `a<sub>j</sub>(${l + 1})`, "∂J(x,y)/∂W<sub>ij</sub>"],
    range(a.length).map((j) => [j + 1, delta[i], a[j], gradient[j]]),
    [[before.batchNorm && l < before.weights.length - 1 ? "shift b" : "bias b", "", "",
      back.deltas[l][e][i]]],
  );
}

function batchNumbers({ before, gradients, rows }, { layer: l, unit: i }, { lambda }) {
  const [W, dW] = [before.weights[l][i], gradients.weights[l][i]];
  const foot = [["bias b", gradients.biases[l][i], "", gradients.biases[l][i]]];
  if (gradients.scales[l]) {
    foot.push(["scale γ", gradients.scales[l][i], "", gradients.scales[l][i]]);
  }
  return table(
    `Weights into unit ${i + 1} of layer ${l + 2}, m = ${rows.length}, λ = ${lambda}`,
    ["j", "1/m Σ δ<sub>i</sub> a<sub>j</sub>", "λ W<sub>ij</sub>", "∂J/∂W<sub>ij</sub>"],
    range(W.length).map((j) => [j + 1, dW[j] - lambda * W[j], lambda * W[j], dW[j]]),
    foot,
  );
}

function updateNumbers({ before, gradients, after }, { layer: l, unit: i }, { learningRate }) {
  const line = (name, old, gradient, found) => [name, old, learningRate * gradient, found];
  const foot = [line("bias b", before.biases[l][i], gradients.biases[l][i], after.biases[l][i])];
  if (before.scales[l]) {
    foot.push(line("scale γ", before.scales[l][i], gradients.scales[l][i], after.scales[l][i]));
  }
  return table(
    `Weights into unit ${i + 1} of layer ${l + 2}, α = ${learningRate}`,
    ["j", "W<sub>ij</sub> before", "α ∂J/∂W<sub>ij</sub>", "W<sub>ij</sub> after"],
    range(before.weights[l][i].length).map((j) =>
      line(j + 1, before.weights[l][i][j], gradients.weights[l][i][j], after.weights[l][i][j])),
    foot,
  );
}

function costNumbers({ cost: J, rows, Y, pass, after }, _, { lambda }) {
  const costAfter = cost(after, Y, forward(after, pass.a[0]), lambda);
  return table(
    `Cost of this batch, m = ${rows.length}`,
    ["", "J"],
    [
      ["mean of the examples’ costs", J.data],
      ["penalty λ/2 Σ W²", J.penalty],
      ["J, before the update", J.total],
      ["J of the same batch, after the update", costAfter.total],
    ],
  );
}

const NUMBERS = [
  forwardNumbers,
  outputNumbers,
  hiddenNumbers,
  exampleNumbers,
  batchNumbers,
  updateNumbers,
  costNumbers,
];

// Return the tables of a step that is done, as HTML.
function numbersOf(step, trainer, view) {
  const { record, settings } = trainer;
  return NUMBERS[step - 1](record, view, settings);
}
