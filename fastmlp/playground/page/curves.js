// The cost curves.
"use strict";

// Draw J on the training set (a solid line) and on the test set (dashed) against the updates.
function drawCurves(canvas, points, colours) {
  const height = 200;
  const context = sized(canvas, height);
  const width = canvas.clientWidth;
  const [left, right, top, bottom] = [48, width - 8, 10, height - 24];
  const finite = points.flatMap((point) => [point.training, point.test]).filter(Number.isFinite);
  const most = Math.max(...finite) || 1;
  const last = Math.max(points.at(-1).updates, 1);
  const at = (updates, J) =>
    [left + ((right - left) * updates) / last, bottom - ((bottom - top) * J) / most];
  context.clearRect(0, 0, width, height);
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = css(colours.ink, 0.75);
  context.strokeStyle = css(colours.ink, 0.15);
  context.lineWidth = 1;
  for (const part of [0, 0.5, 1]) {
    const [, y] = at(0, part * most);
    context.textAlign = "right";
    context.fillText((part * most).toPrecision(2), left - 6, y + 4);
    context.beginPath();
    context.moveTo(left, y);
    context.lineTo(right, y);
    context.stroke();
  }
  context.textAlign = "left";
  context.fillText("0", left, height - 6);
  context.textAlign = "right";
  const unit = last === 1 ? "update" : "updates";
  context.fillText(`${last.toLocaleString("en")} ${unit}`, right, height - 6);
  for (const [name, colour, dashes] of [
    ["training", colours.mark, []],
    ["test", colours.plus, [6, 4]],
  ]) {
    context.beginPath();
    points.forEach((point) => context.lineTo(...at(point.updates, point[name])));
    context.setLineDash(dashes);
    context.lineWidth = 2;
    context.strokeStyle = css(colour);
    context.stroke();
  }
  context.setLineDash([]);
}
