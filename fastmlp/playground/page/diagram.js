// The network as a picture: a button for each unit, and lines for the weights or their gradients.
"use strict";

const UNIT_PIXELS = 32;
const THICKEST = 5; // px, the line of the largest value
const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

class Diagram {
  // select(layer, unit) is called when a unit is clicked or reached by an arrow key.
  constructor(container, select) {
    this.container = container;
    this.select = select;
    container.addEventListener("keydown", (event) => this.move(event));
  }

  // Make the elements of a network; the columns are the input, and the layers 2 to nl.
  build(network, isPlane) {
    this.isPlane = isPlane;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "lines";
    this.canvas.setAttribute("aria-hidden", "true");
    this.units = network.weights.map((W, l) => W.map((_, i) => this.button(l, i)));
    const inputs = isPlane ? ["x₁", "x₂"] : ["x"];
    this.inputs = inputs.map((name) => {
      const picture = document.createElement("div");
      picture.className = isPlane ? "unit" : "unit image";
      picture.innerHTML =
        `<canvas width="${UNIT_PIXELS}" height="${UNIT_PIXELS}" role="img" ` +
        `aria-label="Input ${name}"></canvas><span class="value">${name}</span>`;
      return picture;
    });
    const columns = [this.inputs, ...this.units].map((units) => {
      const column = document.createElement("div");
      column.className = "layer";
      column.append(...units);
      return column;
    });
    this.container.replaceChildren(this.canvas, ...columns);
  }

  button(layer, unit) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "unit";
    button.innerHTML =
      `<canvas width="${UNIT_PIXELS}" height="${UNIT_PIXELS}" aria-hidden="true"></canvas>` +
      '<span class="value"></span>';
    button.addEventListener("click", () => this.select(layer, unit));
    return button;
  }

  // Move among units by arrow keys: up and down in a layer, left and right between layers.
  move(event) {
    const by = ARROWS[event.key];
    if (!by) return;
    const { layer, unit } = this.selected;
    const nextLayer = Math.min(this.units.length - 1, Math.max(0, layer + by[0]));
    const nextUnit = Math.min(this.units[nextLayer].length - 1, Math.max(0, unit + by[1]));
    event.preventDefault();
    this.select(nextLayer, nextUnit);
    this.units[nextLayer][nextUnit].focus();
  }

  // Write a number under each unit: values[l][i], or nothing if values is null.
  label(values, name, selected) {
    this.selected = selected;
    this.units.forEach((units, l) => units.forEach((button, i) => {
      const isSelected = l === selected.layer && i === selected.unit;
      const text = values?.[l] ? shortly(values[l][i]) : "";
      button.tabIndex = isSelected ? 0 : -1;
      button.setAttribute("aria-pressed", isSelected);
      const number = text && `, ${name} ${text}`;
      button.setAttribute("aria-label", `Unit ${i + 1} of layer ${l + 2}${number}`);
      button.querySelector(".value").textContent = text;
    }));
  }

  // Draw a line for each entry of the matrices, its colour by the sign and its width by the size
  // relative to the largest of its layer.  The image of a digit has thin lines to all units.
  connect(matrices, colours) {
    const { width, height } = this.container.getBoundingClientRect();
    const context = sized(this.canvas, height);
    context.clearRect(0, 0, width, height);
    const from = [this.inputs, ...this.units];
    this.units.forEach((units, l) => {
      const starts = from[l].map((element) => this.centre(element, 1));
      const ends = units.map((element) => this.centre(element, 0));
      const isImage = l === 0 && !this.isPlane; // one picture in the place of all inputs
      const most = largest(matrices[l].map(largest)) || 1;
      ends.forEach((end, i) => starts.forEach((start, j) => {
        const value = matrices[l][i][j];
        const size = isImage ? 0 : Math.abs(value) / most;
        context.beginPath();
        context.moveTo(...start);
        const middle = (start[0] + end[0]) / 2;
        context.bezierCurveTo(middle, start[1], middle, end[1], ...end);
        context.lineWidth = 0.5 + (THICKEST - 0.5) * size;
        context.strokeStyle = isImage
          ? css(colours.ink, 0.2)
          : css(value > 0 ? colours.plus : colours.minus, 0.15 + 0.75 * size);
        context.stroke();
      }));
    });
  }

  // Return the middle of the left (side 0) or right (side 1) edge of an element's picture.
  centre(element, side) {
    const outer = this.container.getBoundingClientRect();
    const inner = element.querySelector("canvas").getBoundingClientRect();
    return [inner.left - outer.left + side * inner.width, inner.top - outer.top + inner.height / 2];
  }
}
