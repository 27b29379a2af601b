// The seven steps of training, as fastmlp.steps computes them, in float64.
//
// Examples are rows: arrays of Float64Array.  A network is {sizes, activation, loss, batchNorm,
// weights, biases, scales}; lists begin with the first layer that has the quantity: weights[0] is
// W(1), a[0] is a(1), z[0] is z(2), deltas[0] is δ(2).  With batch norm a hidden layer has u = W a,
// û = (u − μ)/√(σ² + ε) and z = γ û + b.
"use strict";

const EPSILON = 1e-5; // ε of batch norm
const LEAK = 0.01; // slope of leaky_relu for z ≤ 0

// Return the name of the activation function of layer l + 2.
function functionOf(network, l) {
  if (l < network.weights.length - 1) return network.activation;
  return network.loss === "cross_entropy" ? "softmax" : "sigmoid";
}

const slopeOf = (name) => (z) => ACTIVATIONS[name][1](z, LEAK);

function softmax(z) {
  const most = z.reduce((left, right) => Math.max(left, right));
  const powers = z.map((value) => Math.exp(value - most));
  const sum = powers.reduce((left, right) => left + right);
  return powers.map((power) => power / sum);
}

function activate(z, name) {
  if (name === "softmax") return z.map(softmax);
  const [f] = ACTIVATIONS[name];
  return z.map((row) => row.map((value) => f(value, LEAK)));
}

// Return W a + b for each example; without b if it is null.
function affine(a, W, b) {
  return a.map((row) => {
    const z = new Float64Array(W.length);
    for (let i = 0; i < W.length; i++) {
      const w = W[i];
      let sum = b === null ? 0 : b[i];
      for (let j = 0; j < w.length; j++) sum += w[j] * row[j];
      z[i] = sum;
    }
    return z;
  });
}

// Return the mean of f(row, j) over the rows, for each column j.
function columnMean(rows, f) {
  const sums = new Float64Array(rows[0].length);
  rows.forEach((row, n) => {
    for (let j = 0; j < sums.length; j++) sums[j] += f(row, j, n);
  });
  return sums.map((sum) => sum / rows.length);
}

// Within step 1: û and 1/√(σ² + ε), with the mean and variance of these examples or those given.
function normalize(u, statistics = null) {
  const mean = statistics ? statistics.mean : columnMean(u, (row, j) => row[j]);
  const variance = statistics
    ? statistics.variance
    : columnMean(u, (row, j) => (row[j] - mean[j]) ** 2);
  const inverse = variance.map((value) => 1 / Math.sqrt(value + EPSILON));
  const normalized = u.map((row) => row.map((value, j) => (value - mean[j]) * inverse[j]));
  return { mean, variance, inverse, normalized };
}

// Step 1: z(l+1) = W(l) a(l) + b(l), a(l+1) = f(z(l+1)).  `norms` has what batch norm computed in
// each hidden layer; `statistics` are such norms of other examples, to be used in their place.
function forward(network, X, statistics = null) {
  const pass = { z: [], a: [X], norms: [] };
  network.weights.forEach((W, l) => {
    const isNormed = network.batchNorm && l < network.weights.length - 1;
    let z = affine(pass.a[l], W, isNormed ? null : network.biases[l]);
    if (isNormed) {
      const norm = normalize(z, statistics && statistics[l]);
      const [scale, shift] = [network.scales[l], network.biases[l]];
      pass.norms.push(norm);
      z = norm.normalized.map((row) => row.map((value, j) => scale[j] * value + shift[j]));
    }
    pass.z.push(z);
    pass.a.push(activate(z, functionOf(network, l)));
  });
  return pass;
}

// Step 2: δ(nl) = −(y − a(nl)) ∘ f'(z(nl)); a(nl) − y for cross-entropy and softmax.
function outputDelta(network, Y, pass) {
  const [a, z] = [pass.a.at(-1), pass.z.at(-1)];
  if (network.loss === "cross_entropy") return a.map((row, n) => row.map((p, i) => p - Y[n][i]));
  const slope = slopeOf(functionOf(network, network.weights.length - 1));
  return a.map((row, n) => row.map((h, i) => -(Y[n][i] - h) * slope(z[n][i])));
}

// After step 3: δ by u, and Σ δ ∘ û over the examples.
function batchNormDelta(delta, { normalized, inverse }, scale) {
  const mean = columnMean(delta, (row, j) => row[j]);
  const meanProduct = columnMean(delta, (row, j, n) => row[j] * normalized[n][j]);
  const deltaU = delta.map((row, n) =>
    row.map((value, j) =>
      scale[j] * inverse[j] * (value - mean[j] - normalized[n][j] * meanProduct[j])));
  return { deltaU, scaleGradient: meanProduct.map((value) => value * delta.length) };
}

// Step 3: δ(l) = (W(l)ᵀ δ(l+1)) ∘ f'(z(l)) from the last hidden layer back to the first.  Returns
// deltas, and with batch norm also δ by u in deltasU, by which the steps continue, and Σ δ ∘ û.
function hiddenDeltas(network, deltaOut, pass) {
  const found = { deltas: [deltaOut], deltasU: [deltaOut], scaleGradients: [] };
  for (let l = network.weights.length - 1; l > 0; l--) {
    const W = network.weights[l];
    const slope = slopeOf(functionOf(network, l - 1));
    const delta = found.deltasU[0].map((next, n) => {
      const back = new Float64Array(network.sizes[l]);
      for (let i = 0; i < W.length; i++) {
        for (let j = 0; j < back.length; j++) back[j] += W[i][j] * next[i];
      }
      return back.map((value, j) => value * slope(pass.z[l - 1][n][j]));
    });
    found.deltas.unshift(delta);
    if (network.batchNorm) {
      const { deltaU, scaleGradient } =
        batchNormDelta(delta, pass.norms[l - 1], network.scales[l - 1]);
      found.deltasU.unshift(deltaU);
      found.scaleGradients.unshift(scaleGradient);
    } else {
      found.deltasU.unshift(delta);
    }
  }
  return found;
}

// Step 4: ∂J(x,y)/∂W(l) = δ(l+1) a(l)ᵀ of one example, from its rows of δ(l+1) and a(l).
const exampleGradient = (delta, a) => Array.from(delta, (d) => a.map((value) => d * value));

// Step 5: ∂J/∂W(l) = 1/m Σ δ(l+1) a(l)ᵀ + λ W(l), ∂J/∂b(l) = 1/m Σ δ(l+1); ∂J/∂γ = 1/m Σ δ ∘ û.
function batchGradients(network, pass, { deltas, deltasU, scaleGradients }, lambda) {
  const m = pass.a[0].length;
  const weights = network.weights.map((W, l) => {
    const sums = W.map((row) => new Float64Array(row.length));
    deltasU[l].forEach((delta, n) => {
      const a = pass.a[l][n];
      for (let i = 0; i < delta.length; i++) {
        if (delta[i] === 0) continue;
        for (let j = 0; j < a.length; j++) sums[i][j] += delta[i] * a[j];
      }
    });
    return sums.map((row, i) => row.map((sum, j) => sum / m + lambda * W[i][j]));
  });
  const biases = deltas.map((delta) => columnMean(delta, (row, i) => row[i]));
  return { weights, biases, scales: scaleGradients.map((sum) => sum.map((value) => value / m)) };
}

// Step 6: W(l) ← W(l) − α ∂J/∂W(l), b(l) ← b(l) − α ∂J/∂b(l), and γ likewise.
function update(network, gradients, alpha) {
  const step = (row, gradient) => row.map((value, j) => value - alpha * gradient[j]);
  return {
    ...network,
    weights: network.weights.map((W, l) => W.map((row, i) => step(row, gradients.weights[l][i]))),
    biases: network.biases.map((b, l) => step(b, gradients.biases[l])),
    scales: network.scales.map((scale, l) => step(scale, gradients.scales[l])),
  };
}

// Step 7: J = 1/m Σ ½‖y − a(nl)‖² + λ/2 Σ W² as {data, penalty, total}; with cross-entropy the
// first sum is of −Σ y log a(nl), computed from z(nl).
function cost(network, Y, pass, lambda) {
  const [a, z] = [pass.a.at(-1), pass.z.at(-1)];
  let sum = 0;
  Y.forEach((y, n) => {
    if (network.loss === "cross_entropy") {
      const most = z[n].reduce((left, right) => Math.max(left, right));
      const logSum = most + Math.log(z[n].reduce((total, v) => total + Math.exp(v - most), 0));
      y.forEach((target, i) => (sum += target * (logSum - z[n][i])));
    } else {
      y.forEach((target, i) => (sum += 0.5 * (target - a[n][i]) ** 2));
    }
  });
  let squares = 0;
  for (const W of network.weights) {
    for (const row of W) for (const w of row) squares += w * w;
  }
  const [data, penalty] = [sum / Y.length, (lambda / 2) * squares];
  return { data, penalty, total: data + penalty };
}
