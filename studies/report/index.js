const filters = document.getElementById("filters");
const rows = document.querySelectorAll("tr[data-verdict]");
function show() {
  const asked = {};
  for (const chip of filters.querySelectorAll(":checked")) {
    (asked[chip.name] = asked[chip.name] || []).push(chip.value);
  }
  for (const row of rows) {
    row.hidden = !Object.entries(asked).every(([name, values]) =>
      values.some((value) => row.dataset[name].split("|").includes(value)));
  }
}
filters.hidden = false;
filters.addEventListener("change", show);
show();
