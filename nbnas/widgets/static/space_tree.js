// A tree of parts (WAI-ARIA tree view): one item at a time can be reached by Tab, arrows go from item to item.

function render({ model, el }) {
  el.classList.add("nbnas-tree");
  el.setAttribute("role", "tree");
  el.setAttribute("aria-label", "parts of the space");

  const text = (tag, name, value) => {
    const element = document.createElement(tag);
    element.className = name;
    element.textContent = value;
    return element;
  };

  const pick = (pointer) => {
    if (pointer === model.get("selected")) return;
    model.set("selected", pointer);
    model.save_changes();
  };

  const show = () => {
    const held = el.contains(document.activeElement);
    const selected = model.get("selected");
    const rows = model.get("items").map((item) => {
      const row = document.createElement("div");
      const here = item.pointer === selected;
      row.className = "nbnas-tree-item" + (here ? " nbnas-here" : "") + (item.wrong ? " nbnas-tree-wrong" : "");
      row.setAttribute("role", "treeitem");
      row.setAttribute("aria-level", item.depth + 1);
      row.setAttribute("aria-selected", here);
      row.tabIndex = here ? 0 : -1;
      row.style.paddingLeft = `${8 + 16 * item.depth}px`;
      const head = text("div", "nbnas-tree-head", "");
      head.append(text("span", "nbnas-tree-name", item.name));
      if (item.kind) head.append(text("span", "nbnas-tree-kind", item.kind));
      if (item.open) head.append(text("span", "nbnas-tree-open", item.open));
      row.append(head);
      if (item.wrong) row.append(text("div", "nbnas-tree-note", item.wrong));
      else if (item.summary) row.append(text("div", "nbnas-tree-note", item.summary));
      row.title = item.wrong || item.summary || item.name;
      row.addEventListener("click", () => pick(item.pointer));
      return row;
    });
    el.replaceChildren(...rows);
    if (held) el.querySelector(".nbnas-here")?.focus();
  };

  el.addEventListener("keydown", (event) => {
    const items = model.get("items");
    const at = items.findIndex((item) => item.pointer === model.get("selected"));
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 };
    if (event.key === "ArrowLeft") {
      const above = items.slice(0, at).reverse().find((item) => item.depth < items[at].depth);
      if (above) pick(above.pointer);
    } else if (event.key in steps) {
      const to = items[Math.min(Math.max(steps[event.key], 0), items.length - 1)];
      if (to) pick(to.pointer);
    } else return;
    event.preventDefault();
    event.stopPropagation(); // the notebook has its own meaning for arrows
  });

  model.on("change:items change:selected", show);
  show();
  return () => model.off("change:items change:selected", show);
}

export default { render };
