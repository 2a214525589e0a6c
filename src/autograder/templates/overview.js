"use strict";
// The table works without this: it only adds sorting, searching and a filter, and opens everything for the printer.
const table = document.querySelector("#table");
const rows = [...table.tBodies[0].rows];
const search = document.querySelector("#search");
const filter = document.querySelector("#filter");
const found = document.querySelector("#found");

function value(row, column) {
  const text = row.cells[column].dataset.v ?? row.cells[column].textContent.trim();
  const number = Number(text);
  return text !== "" && !Number.isNaN(number) ? number : text.toLowerCase();
}

function compare(a, b) {
  if (typeof a === typeof b) return typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
  return typeof a === "number" ? 1 : -1;
}

[...table.tHead.rows[0].cells].forEach((head, column) => {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.sort((a, b) => (down ? -1 : 1) * compare(value(a, column), value(b, column)));
    table.tBodies[0].append(...rows);
  });
});

function show() {
  const words = search.value.trim().toLowerCase();
  let shown = 0;
  for (const row of rows) {
    const fits = row.textContent.toLowerCase().includes(words)
      && (!filter.value || row.dataset.is.split("|").includes(filter.value));
    row.hidden = !fits;
    shown += fits;
  }
  found.textContent = shown === rows.length ? "" : `${shown} of ${rows.length}`;
}

search.addEventListener("input", show);
filter.addEventListener("change", show);
addEventListener("hashchange", () => {
  const goal = document.getElementById(location.hash.slice(1));
  if (goal?.hidden) {
    search.value = filter.value = "";
    show();
    goal.scrollIntoView();
  }
});
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
document.querySelector(".tools").hidden = false;
