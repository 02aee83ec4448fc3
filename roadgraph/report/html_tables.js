// The tables are whole without this: it only sorts them, by a click on the title of a column.
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const text = (row, place) => row.cells[place].textContent.trim();
  const number = (row, place) => parseFloat(text(row, place).replaceAll(",", ""));
  const sorted = (place, sign) => rows.slice().sort((one, other) => {
    if (!heads[place].classList.contains("number")) {
      return sign * text(one, place).localeCompare(text(other, place), "en");
    }
    const [a, b] = [number(one, place), number(other, place)];
    if (isNaN(a) || isNaN(b)) return isNaN(a) - isNaN(b);
    return sign * (a - b);
  });
  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: "" };
      const order = next[head.getAttribute("aria-sort")] ?? "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      if (order) head.setAttribute("aria-sort", order);
      table.classList.toggle("sorted", Boolean(order));
      body.append(...(order ? sorted(place, order === "ascending" ? 1 : -1) : rows));
    });
  });
}
