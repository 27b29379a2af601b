// The activation functions and their derivatives.
"use strict";

const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;

const sigmoid = (z) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));
const elu = (z, alpha) => (z > 0 ? z : alpha * Math.expm1(z));
const eluSlope = (z, alpha) => (z > 0 ? 1 : alpha * Math.exp(z));

// Φ(z), the normal distribution function, accurate to 1e-7: Abramowitz and Stegun 1964, 7.1.26.
function normal(z) {
  const t = 1 / (1 + (0.3275911 * Math.abs(z)) / Math.SQRT2);
  const series =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = 0.5 * series * Math.exp((-z * z) / 2);
  return z > 0 ? 1 - tail : tail;
}
const normalDensity = (z) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);

const softplus = (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
function mishSlope(z) {
  const t = Math.tanh(softplus(z));
  return t + z * (1 - t * t) * sigmoid(z);
}

// f and f', both functions of z and of the activation's parameter.
const ACTIVATIONS = {
  identity: [(z) => z, () => 1],
  sigmoid: [sigmoid, (z) => sigmoid(z) * sigmoid(-z)],
  relu: [(z) => Math.max(z, 0), (z) => (z > 0 ? 1 : 0)],
  leaky_relu: [(z, slope) => (z > 0 ? z : slope * z), (z, slope) => (z > 0 ? 1 : slope)],
  tanh: [Math.tanh, (z) => 1 - Math.tanh(z) ** 2],
  softplus: [softplus, sigmoid],
  elu: [elu, eluSlope],
  selu: [
    (z) => SELU_SCALE * elu(z, SELU_ALPHA),
    (z) => SELU_SCALE * eluSlope(z, SELU_ALPHA),
  ],
  silu: [(z) => z * sigmoid(z), (z) => sigmoid(z) * (1 + z * sigmoid(-z))],
  exponential: [Math.exp, Math.exp],
  gelu: [(z) => z * normal(z), (z) => normal(z) + z * normalDensity(z)],
  mish: [(z) => z * Math.tanh(softplus(z)), mishSlope],
};
