// Draw images, activations and weights on canvases, in the colours of page.css.
"use strict";

const TILE = 28; // pixels, the side of an image of weights
const GAP = 1;
const SHEET = 128; // images in a row of the hidden canvas that has those of all units

// Return 28 × 28 pixels; colour(value) returns [red, green, blue] and the opacity.
function pixels(values, colour) {
  const image = new ImageData(SIDE, SIDE);
  values.forEach((value, k) => {
    const [rgb, opacity] = colour(value);
    image.data.set([...rgb, Math.round(255 * opacity)], 4 * k);
  });
  return image;
}

function drawInk(canvas, image, colours) {
  canvas.getContext("2d").putImageData(pixels(image, (ink) => [colours.ink, ink]), 0, 0);
}

// Draw positive values in one colour and negative values in another, stronger for larger values;
// `below` is an image to draw in pale ink under them.
function drawSigned(canvas, values, colours, below = null) {
  const most = largest(values) || 1;
  const context = canvas.getContext("2d");
  const signed = pixels(values, signedColour(colours, most));
  if (below === null) {
    context.putImageData(signed, 0, 0);
    return;
  }
  const layer = hidden(SIDE, SIDE);
  layer.getContext("2d").putImageData(signed, 0, 0);
  context.putImageData(pixels(below, (ink) => [colours.ink, 0.25 * ink]), 0, 0);
  context.drawImage(layer, 0, 0);
}

function erase(canvas) {
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

// Arrange n square cells, at most `most` px wide, in a width and approximately a height.  Of similar
// numbers of columns the one with the fewest empty cells in the last row is used.
function grid(n, width, height, most) {
  const even = Math.max(width / most, Math.sqrt((n * width) / height));
  const empty = (columns) => Math.ceil(n / columns) * columns - n;
  let columns = Math.ceil(even);
  for (let near = Math.ceil(0.85 * even); near <= 1.2 * even; near++) {
    if (width / near <= most && empty(near) < empty(columns)) columns = near;
  }
  const cell = width / columns;
  const corner = (i) => [Math.round((i % columns) * cell), Math.round(Math.floor(i / columns) * cell)];
  return { cell, columns, corner, height: Math.ceil(Math.ceil(n / columns) * cell) };
}

// Draw a layer's activations, a cell for each unit, relative to the largest of the layer.
function drawCells(canvas, activations, colours) {
  const { cell, corner, height } = grid(activations.length, canvas.clientWidth, 150, 22);
  const context = sized(canvas, height);
  const side = Math.floor(cell) - GAP;
  const most = largest(activations) || 1;
  activations.forEach((a, i) => {
    const [x, y] = corner(i);
    context.fillStyle = css(colours.ink, 0.06);
    context.fillRect(x, y, side, side);
    if (a === 0) return;
    context.fillStyle = css(a > 0 ? colours.mark : colours.minus, Math.abs(a) / most);
    context.fillRect(x, y, side, side);
  });
}

// The weights of each unit of the first layer, as one image for each.
class Mosaic {
  constructor(canvas, layer) {
    this.canvas = canvas;
    this.layer = layer;
  }

  weights(unit) {
    return this.layer.weights.subarray(unit * this.layer.nIn, (unit + 1) * this.layer.nIn);
  }

  // Draw all images once for the current colours and width.
  prepare(colours) {
    const n = this.layer.nOut;
    this.grid = grid(n, this.canvas.clientWidth, 430, 2 * TILE);
    this.sheet = hidden(TILE * SHEET, TILE * Math.ceil(n / SHEET));
    const context = this.sheet.getContext("2d");
    for (let unit = 0; unit < n; unit++) {
      const weights = this.weights(unit);
      const most = largest(weights) || 1;
      const tile = pixels(weights, signedColour(colours, most));
      context.putImageData(tile, ...this.onSheet(unit));
    }
  }

  onSheet(unit) {
    return [TILE * (unit % SHEET), TILE * Math.floor(unit / SHEET)];
  }

  // Draw inactive units pale, active units in full colour, and a frame around `selected`.
  draw(activations, selected, colours) {
    const { cell, corner, height } = this.grid;
    const context = sized(this.canvas, height);
    const most = activations === null ? 1 : largest(activations) || 1;
    const side = Math.floor(cell) - GAP;
    for (let unit = 0; unit < this.layer.nOut; unit++) {
      const [x, y] = corner(unit);
      const strength = activations === null ? 0.5 : Math.abs(activations[unit]) / most;
      context.globalAlpha = 1;
      context.fillStyle = css(colours.ink, 0.03);
      context.fillRect(x, y, side, side);
      context.globalAlpha = 0.2 + 0.8 * strength;
      context.drawImage(this.sheet, ...this.onSheet(unit), TILE, TILE, x, y, side, side);
    }
    context.globalAlpha = 1;
    const [x, y] = corner(selected);
    context.strokeStyle = css(colours.mark);
    context.lineWidth = 2;
    context.strokeRect(x, y, side, side);
  }

  // Return the unit whose image is under the pointer, or null.
  unitAt(event) {
    const { cell, columns } = this.grid;
    const [column, row] = [Math.floor(event.offsetX / cell), Math.floor(event.offsetY / cell)];
    const unit = row * columns + column;
    return column < columns && unit < this.layer.nOut ? unit : null;
  }
}
