// Draws one LiveChart with plotly.js, from a snapshot and numbered messages that say what is new.

// Shared by all charts of a page. Each chart imports this module anew, and its model comes as different objects to
// `initialize` and `render`: what belongs together is found by the chart's uid.
const PAGE = (globalThis[Symbol.for("nbnas.live_chart")] ??= { figures: new Map(), plotly: null });

const BEAT = 10_000; // between two questions to the kernel, in milliseconds
const PATIENCE = 45_000; // for its answer: it may be busy
const GONE = "Kernel gone: run the cell again, or open the run with nb.open";
const SILENT = "No answer from the kernel: it is busy, or gone";

/** Evaluates the bundle once a page, as a module, the way widgets themselves are loaded. */
function loadPlotly(source) {
  PAGE.plotly ??= (async () => {
    const before = globalThis.Plotly;
    const code = `const module = { exports: {} };\n${source}\nexport default module.exports;`;
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    try {
      return (await import(/* webpackIgnore: true */ /* @vite-ignore */ url)).default;
    } finally {
      URL.revokeObjectURL(url);
      // The bundle also names itself on the page, where another plotly may be at home.
      if (before === undefined) delete globalThis.Plotly;
      else globalThis.Plotly = before;
    }
  })().catch((error) => {
    PAGE.plotly = null;
    throw error;
  });
  return PAGE.plotly;
}

/** One array of a trace. `shown` is what plotly gets: a new object after each change, which plotly notices. */
class Column {
  constructor({ values, width }) {
    this.width = width;
    this.length = values.length;
    this.store = values;
    this.show();
  }

  append({ values }) {
    const length = this.length + values.length;
    if (Array.isArray(this.store)) {
      this.store = this.store.concat(Array.from(values));
    } else {
      if (length > this.store.length) {
        const larger = new Float64Array(2 * length);
        larger.set(this.store.subarray(0, this.length));
        this.store = larger;
      }
      this.store.set(values, this.length);
    }
    this.length = length;
    this.show();
  }

  show() {
    const cut = (from, to) => (Array.isArray(this.store) ? this.store.slice(from, to) : this.store.subarray(from, to));
    if (!this.width) {
      this.shown = cut(0, this.length);
      return;
    }
    this.shown = [];
    for (let at = 0; at < this.length; at += this.width) this.shown.push(cut(at, at + this.width));
  }
}

/** The figure of one chart as this page knows it. */
class Figure {
  constructor(model) {
    this.model = model;
    this.seq = -1;
    this.binary = true;
    this.order = [];
    this.layout = {};
    this.traces = new Map();
    this.views = new Set();
    this.asked = null; // when the question was put that is still unanswered
    this.heard = Date.now(); // the last message
    this.silent = false;
    this.listen = (content, buffers) => this.receive(content, buffers);
    model.on("msg:custom", this.listen);
    const { content, buffers } = model.get("_snapshot");
    this.receive(content, buffers);
    this.ask();
    this.beat = setInterval(() => this.onBeat(), BEAT);
  }

  close() {
    clearInterval(this.beat);
    this.model.off("msg:custom", this.listen);
  }

  /** Asks the kernel whether this is all; the answer is a snapshot if it is not. */
  ask() {
    if (this.asked !== null || this.plotly?.comm_live === false) return;
    this.asked = Date.now();
    this.model.send({ have: this.seq, binary: this.binary });
  }

  onBeat() {
    if (document.hidden) return;
    if (this.asked !== null && Date.now() - this.asked > PATIENCE) {
      this.asked = null; // the question may have been lost with its connection: put it again
      this.silent = Date.now() - this.heard > PATIENCE; // not while a cell keeps the kernel from hearing, but data come
      this.redraw();
    }
    this.ask();
  }

  receive(content, buffers) {
    const wasSilent = this.silent;
    this.silent = false;
    this.heard = Date.now();
    if (content.type !== "update") this.asked = null;
    const next = content.type === "update" && content.seq === this.seq + 1;
    const newer = content.type === "snapshot" && content.seq >= this.seq;
    if (next || newer) this.apply(content, buffers);
    else if (content.type === "update" && content.seq > this.seq) this.ask();
    if (next || newer || wasSilent) this.redraw();
  }

  apply(content, buffers) {
    let unpacked;
    try {
      unpacked = Object.entries(content.traces ?? {}).map(([uid, change]) => [uid, unpackTrace(change, buffers)]);
    } catch (error) {
      // A page that loses buffers (Colab does): have the numbers sent as JSON from now on.
      this.binary = false;
      this.seq = -1;
      this.asked = null;
      this.ask();
      return;
    }
    this.seq = content.seq;
    this.order = content.order ?? this.order;
    this.layout = content.layout ?? this.layout;
    if (content.type === "snapshot") this.traces.clear();
    for (const [uid, change] of unpacked) {
      if (change.columns) this.traces.set(uid, { spec: change.spec, columns: new Map() });
      const trace = this.traces.get(uid);
      trace.spec = change.spec ?? trace.spec;
      for (const [path, column] of change.columns ?? []) trace.columns.set(path, new Column(column));
      for (const [path, column] of change.append ?? []) trace.columns.get(path).append(column);
    }
    for (const uid of this.traces.keys()) if (!this.order.includes(uid)) this.traces.delete(uid);
  }

  data() {
    return this.order.map((uid) => {
      const { spec, columns } = this.traces.get(uid);
      const trace = { uid, ...structuredClone(spec) };
      for (const [path, column] of columns) {
        const keys = path.split(".");
        const last = keys.pop();
        let node = trace;
        for (const key of keys) node = node[key] ??= {};
        node[last] = column.shown;
      }
      return trace;
    });
  }

  redraw() {
    for (const view of this.views) view();
  }
}

function unpackTrace({ spec, columns, append }, buffers) {
  const each = (packed) => Object.entries(packed).map(([path, column]) => [path, unpack(column, buffers)]);
  return { spec, columns: columns && each(columns), append: append && each(append) };
}

function unpack({ values, buffer, width }, buffers) {
  if (values) return { values, width };
  const view = buffers[buffer]; // throws where there are none
  const bytes = view.buffer ? view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) : view;
  return { values: new Float64Array(bytes), width };
}

/** What the page's theme says, as a plotly template: a figure that sets something itself is stronger. */
function template(element, colorway) {
  const style = getComputedStyle(element);
  const colour = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  const text = style.color;
  const axis = {
    gridcolor: "rgba(128,128,128,0.25)",
    linecolor: "rgba(128,128,128,0.6)",
    zerolinecolor: "rgba(128,128,128,0.4)",
    automargin: true,
  };
  const background = colour("--jp-layout-color1", colour("--vscode-editor-background", "#ffffff"));
  return {
    layout: {
      colorway,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: text, family: colour("--jp-ui-font-family", style.fontFamily), size: 12 },
      // The title at the top left, the legend below it: in a narrow place they would meet side by side.
      title: { x: 0.01, xanchor: "left", y: 0.98, yref: "container", yanchor: "top", font: { size: 14 } },
      margin: { l: 48, r: 16, t: 56, b: 40 },
      xaxis: axis,
      yaxis: axis,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", bgcolor: "rgba(0,0,0,0)" },
      hoverlabel: { bgcolor: background, bordercolor: text, font: { color: text }, namelength: -1 },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: text, activecolor: colour("--jp-brand-color1", "#1976d2") },
    },
  };
}

const CONFIG = {
  displaylogo: false,
  displayModeBar: true, // the style sheet shows it on hover and on focus
  modeBarButtons: [["zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]],
};

function figureOf(model) {
  const uid = model.get("_uid");
  if (!PAGE.figures.has(uid)) PAGE.figures.set(uid, new Figure(model));
  return PAGE.figures.get(uid);
}

function initialize({ model }) {
  const figure = figureOf(model);
  return () => {
    figure.close();
    PAGE.figures.delete(model.get("_uid"));
  };
}

async function render({ model, el }) {
  const figure = figureOf(model);
  el.classList.add("nbnas-live-chart");
  el.setAttribute("role", "region");
  el.setAttribute("aria-label", model.get("label"));
  const plot = document.createElement("div");
  const badge = document.createElement("div");
  badge.className = "nbnas-live-chart-badge";
  badge.setAttribute("role", "status");
  plot.style.height = `${model.get("height")}px`; // before plotly is there, so that the page does not jump
  el.replaceChildren(plot, badge);

  const bundle = await model.widget_manager.get_model(model.get("_plotly").slice("IPY_MODEL_".length));
  const Plotly = await loadPlotly(bundle.get("source"));
  figure.plotly = bundle;

  let frame = 0;
  const paint = async () => {
    const words = bundle.comm_live === false ? GONE : figure.silent ? SILENT : "";
    if (badge.textContent !== words) badge.textContent = words;
    badge.style.display = words ? "block" : "none";
    const width = plot.clientWidth;
    if (!width) return; // hidden: drawn when it comes to have a size
    const height = model.get("height");
    plot.style.height = `${height}px`;
    const given = structuredClone(figure.layout);
    const layout = { uirevision: "keep", ...given, width, height, template: template(el, model.get("_colorway")) };
    await Plotly.react(plot, figure.data(), layout, CONFIG);
  };
  const draw = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      paint().catch(console.error);
    });
  };

  figure.views.add(draw);
  const size = new ResizeObserver(draw);
  size.observe(plot);
  const theme = new MutationObserver(draw);
  const signs = ["class", "data-jp-theme-name", "data-jp-theme-light"];
  theme.observe(document.body, { attributes: true, attributeFilter: signs });
  const relabel = () => el.setAttribute("aria-label", model.get("label"));
  model.on("change:label", relabel);
  model.on("change:height", draw);
  bundle.on("comm_live_update", draw);
  draw();

  return () => {
    figure.views.delete(draw);
    size.disconnect();
    theme.disconnect();
    bundle.off("comm_live_update", draw);
    model.off("change:label", relabel);
    model.off("change:height", draw);
    cancelAnimationFrame(frame);
    Plotly.purge(plot);
  };
}

export default { initialize, render };
