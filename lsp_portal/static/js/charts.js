// Draws every <div data-figure="ID"> from the figure in <script type="application/json" id="ID">,
// with fonts, colours and grid of the page, and draws it again when the colour scheme changes.
(() => {
  "use strict";

  function themed(layout) {
    const style = getComputedStyle(document.documentElement);
    const css = (name) => style.getPropertyValue(name).trim();
    const axis = (given) => ({ ...given, gridcolor: css("--line"), linecolor: css("--line"), zerolinecolor: css("--line"), automargin: true });
    const theme = {
      ...layout,
      font: { family: css("--font"), size: 13, color: css("--ink") },
      colorway: [1, 2, 3, 4, 5, 6, 7, 8].map((number) => css(`--chart-${number}`)),
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      hoverlabel: { bgcolor: css("--surface"), bordercolor: css("--line"), font: { color: css("--ink") } },
      legend: { orientation: "h", yanchor: "bottom", y: 1.02, x: 0, ...layout.legend },
      margin: { l: 56, r: 12, t: 40, b: 40, ...layout.margin },
      autosize: true,
    };
    for (const name of Object.keys({ xaxis: 0, yaxis: 0, ...layout }).filter((key) => /^[xy]axis\d*$/.test(key))) {
      theme[name] = axis(layout[name]);
    }
    delete theme.template;
    return theme;
  }

  // A trace may name its colour of the palette: {"meta": {"colour": 3}}.
  function coloured(trace, colorway) {
    const color = colorway[(trace.meta?.colour ?? 0) - 1];
    return color ? { ...trace, marker: { ...trace.marker, color } } : trace;
  }

  function draw(area) {
    const figure = JSON.parse(document.getElementById(area.dataset.figure).textContent);
    const layout = themed(figure.layout ?? {});
    const data = figure.data.map((trace) => coloured(trace, layout.colorway));
    window.Plotly.react(area, data, layout, { displayModeBar: false, responsive: true });
  }

  function drawAll(root) {
    for (const area of root.querySelectorAll("[data-figure]")) {
      draw(area);
    }
  }

  drawAll(document);
  document.addEventListener("portal:scheme", () => drawAll(document));
  document.addEventListener("htmx:load", (event) => event.target !== document.body && drawAll(event.target));
})();
