// The data sets: five in the plane, from random numbers, and the digits, from the page's data.
// A set is {X, y, test: {X, y}, nClasses, isPlane}, X as rows of numbers and y as class numbers.
"use strict";

const PLANE = 2.5; // the plane is shown from −PLANE to PLANE
const N_PLANE = 200; // training examples of a set in the plane, and as many test examples
const N_DIGITS = 1400; // training examples of the digits; the others are test examples
const SIDE = 8; // pixels of a digit's side

// Return a point of class k; t in [0, 1) is its place along the curve.
const POINTS = {
  moons(k, t, random) {
    const angle = Math.PI * t;
    const [x, y] = k === 0 ? [Math.cos(angle), Math.sin(angle)]
      : [1 - Math.cos(angle), 0.5 - Math.sin(angle)];
    return [1.3 * (x - 0.5) + random.normal(0, 0.13), 1.3 * (y - 0.25) + random.normal(0, 0.13)];
  },
  circles(k, t, random) {
    const radius = (k === 0 ? 1.9 : 0.8) + random.normal(0, 0.13);
    return [radius * Math.cos(2 * Math.PI * t), radius * Math.sin(2 * Math.PI * t)];
  },
  spirals(k, t, random) {
    const [radius, angle] = [0.2 + 1.9 * t, 3 * Math.PI * t + Math.PI * k];
    return [
      radius * Math.cos(angle) + random.normal(0, 0.05),
      radius * Math.sin(angle) + random.normal(0, 0.05),
    ];
  },
  xor(k, t, random) {
    const [x, y] = [random.uniform(0.15, 2), random.uniform(0.15, 2)];
    const right = t < 0.5 ? 1 : -1; // class 0: both coordinates of one sign
    return [right * x, (k === 0 ? right : -right) * y];
  },
  blobs(k, t, random) {
    const angle = 2 * Math.PI * (k / 3 + 1 / 12);
    return [
      1.3 * Math.cos(angle) + random.normal(0, 0.45),
      1.3 * Math.sin(angle) + random.normal(0, 0.45),
    ];
  },
};

function pointsOf(name, nClasses, random) {
  const part = { X: [], y: [] };
  for (let n = 0; n < N_PLANE; n++) {
    const k = n % nClasses;
    part.X.push(Float64Array.from(POINTS[name](k, random.uniform(), random)));
    part.y.push(k);
  }
  return part;
}

// Each pixel is a letter, "A" for 0 to "Q" for 16; each label is a digit.
function readDigits({ pixels, labels }) {
  const X = Array.from(labels, (_, n) =>
    Float64Array.from({ length: SIDE * SIDE }, (_, j) =>
      (pixels.charCodeAt(n * SIDE * SIDE + j) - 65) / 16));
  const y = Array.from(labels, Number);
  return {
    X: X.slice(0, N_DIGITS),
    y: y.slice(0, N_DIGITS),
    test: { X: X.slice(N_DIGITS), y: y.slice(N_DIGITS) },
    nClasses: 10,
    isPlane: false,
  };
}

// Return the set of this name; `digits` is the page's data, for the digits.
function makeSet(name, seed, digits) {
  if (name === "digits") return readDigits(digits);
  const random = generator(seed, 0);
  const nClasses = name === "blobs" ? 3 : 2;
  const training = pointsOf(name, nClasses, random);
  return { ...training, test: pointsOf(name, nClasses, random), nClasses, isPlane: true };
}

// Return rows that are 1 at the class and 0 elsewhere.
const oneHot = (y, nClasses) =>
  y.map((label) => Float64Array.from({ length: nClasses }, (_, k) => (k === label ? 1 : 0)));
