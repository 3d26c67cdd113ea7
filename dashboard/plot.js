// uPlot's life in the page: drawn in the theme's colours, as wide as its place, drawn anew when either changes.
import uPlot from '/vendor/uPlot.esm.js';

/** @typedef {Omit<uPlot.Options, 'width' | 'height'>} PlotOptions */
/** @typedef {uPlot.AlignedData} AlignedData */

/** @type {Set<() => void>} */
const all = new Set();

/** Draws every plot in the colours of now. */
export const restylePlots = () => all.forEach((restyle) => restyle());

/** What a colour of the style sheet is at present: a canvas knows no variables. @param {string} name */
export function colorOf(name) {
  const probe = document.createElement('i');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** The same, see-through. @param {string} name @param {number} alpha */
export const tint = (name, alpha) => colorOf(name).replace(/^rgba?\((\d+), (\d+), (\d+).*$/, `rgba($1, $2, $3, ${alpha})`);

/** The style sheet's font at a size, for a canvas. @param {number} px */
export const fontOf = (px) => `${px}px ${getComputedStyle(document.body).fontFamily}`;

/**
 * A plot in `box`. `optionsOf` is asked again for each theme.
 * @param {HTMLElement} box
 * @param {number} height
 * @param {() => PlotOptions} optionsOf
 * @returns {{ set: (data: AlignedData) => void, plot: () => uPlot }}
 */
export function mountPlot(box, height, optionsOf) {
  /** @type {AlignedData} */
  let data = [[]];
  const width = () => Math.max(40, Math.floor(box.clientWidth));
  const draw = () => {
    const options = optionsOf();
    // Each series needs its own column, also before there is any data.
    const columns = /** @type {AlignedData} */ (options.series.map((_, index) => data[index] ?? []));
    return new uPlot({ ...options, width: width(), height }, columns, box);
  };
  let plot = draw();
  const restyle = () => {
    plot.destroy();
    plot = draw();
  };
  all.add(restyle);
  new ResizeObserver(() => plot.width !== width() && plot.setSize({ width: width(), height })).observe(box);
  return {
    set(next) {
      data = next;
      plot.setData(next);
    },
    plot: () => plot,
  };
}
