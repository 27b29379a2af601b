// Colours of page.css for canvases, and canvases at the screen's resolution.
"use strict";

// Return the palette's colours as [red, green, blue], in the current light or dark scheme.
function palette() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => {
    const hex = style.getPropertyValue(`--${name}`).trim();
    return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  };
  return { ink: read("ink"), plus: read("plus"), minus: read("minus"), mark: read("mark") };
}

const css = ([red, green, blue], opacity = 1) => `rgb(${red} ${green} ${blue} / ${opacity})`;

function hidden(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

// Return the colour of a value by its sign, and its strength: 1 from 0.6 of the largest value on.
const signedColour = (colours, most) => (value) => [
  value > 0 ? colours.plus : colours.minus,
  Math.min(1, Math.abs(value) / (0.6 * most)),
];

const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

// Give a canvas the width of its container and this height, at the screen's resolution; return its
// context, whose unit is a CSS pixel.
function sized(canvas, height) {
  const width = canvas.clientWidth;
  const density = devicePixelRatio || 1;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  const context = canvas.getContext("2d");
  context.setTransform(density, 0, 0, density, 0, 0);
  return context;
}
