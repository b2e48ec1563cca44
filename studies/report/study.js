for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const value = (row, column) => {
    const data = row.cells[column].querySelector("data");
    const text = data ? data.value : row.cells[column].textContent.replaceAll(",", "");
    return Number.isNaN(parseFloat(text)) ? text : parseFloat(text);
  };
  const order = (a, b) => typeof a === typeof b
    ? (a < b ? -1 : a > b ? 1 : 0)
    : typeof a === "number" ? -1 : 1;
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.ariaSort === "ascending" ? -1 : 1;
      for (const other of table.tHead.rows[0].cells) other.ariaSort = null;
      head.ariaSort = up === 1 ? "ascending" : "descending";
      body.append(...[...body.rows].sort((a, b) => up * order(value(a, column), value(b, column))));
    });
  });
}
if (navigator.clipboard) {
  const add = (before, title, text) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copier";
    button.textContent = title;
    button.addEventListener("click", () => navigator.clipboard.writeText(text())
      .then(() => { button.textContent = "copied"; }));
    before.before(button);
  };
  for (const pre of document.querySelectorAll("pre.copy")) add(pre, "copy", () => pre.textContent);
  for (const box of document.querySelectorAll("details.export")) {
    const table = document.getElementById(box.dataset.of);
    const quoted = (cell) => `"${(cell.querySelector("data")?.value ?? cell.textContent).replaceAll('"', '""')}"`;
    add(box.querySelector("pre"), "copy as CSV", () =>
      [...table.querySelectorAll("tr")].map((row) => [...row.cells].map(quoted).join(",")).join("\n"));
  }
}
