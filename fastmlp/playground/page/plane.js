// The decision surface with its points, the batch of digits, and each unit's picture.
"use strict";

const GRID = 40; // points of the plane in each direction, for surfaces
const SHAPES = ["circle", "square", "triangle"]; // of the classes, beside their colours

// Points of the plane, from the upper left corner row by row.
const GRID_POINTS = Array.from({ length: GRID * GRID }, (_, k) =>
  Float64Array.of(
    PLANE * (2 * ((k % GRID) + 0.5) / GRID - 1),
    PLANE * (1 - 2 * (Math.floor(k / GRID) + 0.5) / GRID),
  ));

const classColours = (colours) => [colours.minus, colours.plus, colours.mark];

// Paint side × side pixels on a canvas, enlarged to its size; colour(k) returns [rgb, opacity].
function paint(canvas, side, colour, isSmooth = true) {
  const image = new ImageData(side, side);
  for (let k = 0; k < side * side; k++) {
    const [rgb, opacity] = colour(k);
    image.data.set([...rgb, Math.round(255 * opacity)], 4 * k);
  }
  const small = hidden(side, side);
  small.getContext("2d").putImageData(image, 0, 0);
  const context = canvas.getContext("2d");
  context.save();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = isSmooth;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  context.restore();
}

// Paint the predicted class of each point of the plane, paler where the network is less sure.
function paintSurface(canvas, outputs, colours) {
  const palette = classColours(colours);
  const n = outputs[0].length;
  paint(canvas, GRID, (k) => {
    const best = indexOfLargest(outputs[k]);
    if (best < 0) return [colours.ink, 0]; // not a number, after training that diverged
    const sum = outputs[k].reduce((left, right) => left + right) || 1;
    const lead = Math.max(0, (outputs[k][best] / sum - 1 / n) / (1 - 1 / n));
    return [palette[best], 0.08 + 0.5 * lead];
  });
}

const onCanvas = (value, size) => ((value / PLANE + 1) / 2) * size;

function drawShape(context, shape, x, y, radius) {
  context.beginPath();
  if (shape === "circle") {
    context.arc(x, y, radius, 0, 2 * Math.PI);
  } else if (shape === "square") {
    const half = 0.9 * radius;
    context.rect(x - half, y - half, 2 * half, 2 * half);
  } else {
    context.moveTo(x, y - 1.2 * radius);
    context.lineTo(x + 1.1 * radius, y + 0.8 * radius);
    context.lineTo(x - 1.1 * radius, y + 0.8 * radius);
    context.closePath();
  }
}

// Draw the training examples; those of the batch have an outline and the selected one a ring.
function drawPoints(context, size, set, rows, selected, colours) {
  const palette = classColours(colours);
  const batch = new Set(rows);
  set.X.forEach(([x, y], n) => {
    const at = [onCanvas(x, size), size - onCanvas(y, size)];
    drawShape(context, SHAPES[set.y[n]], ...at, batch.has(n) ? 4.5 : 3.5);
    context.fillStyle = css(palette[set.y[n]]);
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = css(colours.ink, batch.has(n) ? 1 : 0.3);
    context.stroke();
    if (n !== selected) return;
    context.beginPath();
    context.arc(...at, 10, 0, 2 * Math.PI);
    context.lineWidth = 2.5;
    context.strokeStyle = css(colours.ink);
    context.stroke();
  });
}

const digitColumns = (n) => Math.max(3, Math.ceil(Math.sqrt(n)));

// Draw digits row by row, with a frame around wrong ones and a thick frame around the selected one.
function drawDigits(context, size, set, rows, a, example, colours) {
  const columns = digitColumns(rows.length);
  const cell = size / columns;
  rows.forEach((n, k) => {
    const [x, y] = [(k % columns) * cell, Math.floor(k / columns) * cell];
    const small = hidden(SIDE, SIDE);
    paint(small, SIDE, (pixel) => [colours.ink, set.X[n][pixel]]);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, x + 2, y + 2, cell - 4, cell - 4);
    const isWrong = indexOfLargest(a[k]) !== set.y[n];
    if (!isWrong && k !== example) return;
    context.lineWidth = k === example ? 3 : 1.5;
    context.strokeStyle = css(isWrong ? colours.plus : colours.mark);
    context.strokeRect(x + 1.5, y + 1.5, cell - 3, cell - 3);
  });
}

// Paint a unit: its activations over the plane, or its weights as an image of 8 × 8.
function paintUnit(canvas, values, side, colours) {
  const colour = signedColour(colours, largest(values) || 1);
  paint(canvas, side, (k) => colour(values[k]), side === GRID);
}

// Fill a unit's picture by one activation, relative to the largest of its layer.
function paintActivation(canvas, value, most, colours) {
  paint(canvas, 1, () => signedColour(colours, most)(value));
}
