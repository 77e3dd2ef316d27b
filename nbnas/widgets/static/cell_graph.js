// Shows the SVG of one CellGraphView.

function render({ model, el }) {
  el.classList.add("nbnas-cell-graph");
  el.style.overflowX = "auto";
  const show = () => {
    const svg = model.get("svg");
    if (!svg) return el.replaceChildren();
    const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
    const shown = document.importNode(parsed.documentElement, true);
    // Below that its text is too small: scroll instead.
    shown.style.minWidth = `${0.7 * shown.getAttribute("width")}px`;
    el.replaceChildren(shown);
  };
  model.on("change:svg", show);
  show();
  return () => model.off("change:svg", show);
}

export default { render };
