// The network: its parameters from the page's data, the forward pass, and the gradient with respect
// to the input.  Notation: a(1) = x, z(l+1) = W(l) a(l) + b(l), a(l+1) = f(z(l+1)).
"use strict";

function decodeBase64(text, Type) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Type(bytes.buffer);
}

// Row i of W(l) is its 16-bit integers times scale i.
function readNetwork(data) {
  const layers = data.layers.map((stored, l) => {
    const [nIn, nOut] = [data.sizes[l], data.sizes[l + 1]];
    const integers = decodeBase64(stored.weights, Int16Array);
    const scales = decodeBase64(stored.scales, Float32Array);
    const weights = Float32Array.from(integers, (w, k) => w * scales[Math.floor(k / nIn)]);
    const bias = decodeBase64(stored.bias, Float32Array);
    const hidden = l < data.layers.length - 1;
    return { nIn, nOut, weights, bias, ...(hidden ? data.activations[l] : { name: "softmax" }) };
  });
  return { sizes: data.sizes, layers, inputScale: data.inputScale };
}

function softmax(z) {
  const largest = Math.max(...z);
  const powers = Float32Array.from(z, (value) => Math.exp(value - largest));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

// Return z = W a + b, summed over the nonzero inputs.
function product(layer, a) {
  const { nIn, nOut, weights, bias } = layer;
  const nonzero = [];
  for (let j = 0; j < nIn; j++) if (a[j] !== 0) nonzero.push(j);
  const z = new Float32Array(nOut);
  for (let i = 0; i < nOut; i++) {
    let sum = bias[i];
    for (const j of nonzero) sum += weights[i * nIn + j] * a[j];
    z[i] = sum;
  }
  return z;
}

// Return z and a of each layer after the input; the image has ink from 0 (paper) to 1.
function forward(network, image) {
  const pass = { z: [], a: [] };
  let a = image.map((ink) => ink * network.inputScale);
  for (const layer of network.layers) {
    const z = product(layer, a);
    const [f] = ACTIVATIONS[layer.name] || [];
    a = f ? z.map((value) => f(value, layer.parameter)) : softmax(z);
    pass.z.push(z);
    pass.a.push(a);
  }
  return pass;
}

// Return ∂(z_up − z_down)/∂image for two outputs, by δ(l) = (W(l)ᵀ δ(l+1)) ∘ f'(z(l)).
function inputGradient(network, pass, up, down) {
  let delta = new Float32Array(network.sizes.at(-1));
  delta[up] += 1;
  delta[down] -= 1;
  for (let l = network.layers.length - 1; l >= 0; l--) {
    const { nIn, nOut, weights } = network.layers[l];
    const below = new Float32Array(nIn);
    for (let i = 0; i < nOut; i++) {
      if (delta[i] === 0) continue;
      for (let j = 0; j < nIn; j++) below[j] += weights[i * nIn + j] * delta[i];
    }
    if (l > 0) {
      const { name, parameter } = network.layers[l - 1];
      const slope = ACTIVATIONS[name][1];
      below.forEach((value, j) => (below[j] = value * slope(pass.z[l - 1][j], parameter)));
    }
    delta = below;
  }
  return delta.map((value) => value * network.inputScale);
}

// Return the classes in descending order of probability.
const ranking = (probabilities) =>
  Array.from(probabilities.keys()).sort((i, j) => probabilities[j] - probabilities[i]);

const bestBut = (probabilities, excluded) =>
  ranking(probabilities).find((digit) => digit !== excluded);

// Set to zero what cannot be done to ink: take it from white paper or add it to full black.
const feasible = (gradient, image) =>
  gradient.map((g, j) => ((g < 0 && image[j] <= 0) || (g > 0 && image[j] >= 1) ? 0 : g));

// Find a small change of the image after which the network predicts `wanted`; null if none is found.
// Each step goes slightly beyond the point where the two classes would be equally probable if the
// network were linear (DeepFool: Moosavi-Dezfooli et al. 2016), and is clipped to [0, 1].
function changeOfMind(network, image, wanted) {
  const BEYOND = 1.2;
  const STEPS = 60;
  let changed = image;
  for (let step = 0; step < STEPS; step++) {
    const pass = forward(network, changed);
    const rival = bestBut(pass.a.at(-1), wanted);
    const lead = pass.z.at(-1)[rival] - pass.z.at(-1)[wanted];
    if (lead < 0) return { image: changed, probability: pass.a.at(-1)[wanted] };
    const gradient = feasible(inputGradient(network, pass, wanted, rival), changed);
    const squares = gradient.reduce((sum, g) => sum + g * g, 0);
    if (squares === 0) return null;
    const rate = (BEYOND * Math.max(lead, 1e-3)) / squares;
    changed = changed.map((ink, j) => Math.min(1, Math.max(0, ink + rate * gradient[j])));
  }
  return null;
}
