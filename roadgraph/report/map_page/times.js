// The sliders over horizons and times of issue, the playback, and the times in the page's head.

const STEP_MS = 900; // of the playback

class TimesPanel {
  /** @param show function that shows {issue, horizon} or one of them */
  constructor(data, show) {
    Object.assign(this, { data, show, issue: data.I - 1, timer: null });
    const { H, I } = data;
    const horizon = byId("horizon"), issue = byId("issue");
    Object.assign(horizon, { min: 0, max: H - 1, step: 1, value: 0, disabled: H === 1 });
    horizon.addEventListener("input", () => show({ horizon: Number(horizon.value) }));
    byId("horizon-marks").append(...this.marks());
    byId("issues").hidden = I === 1;
    Object.assign(issue, { min: 0, max: I - 1, step: 1, value: this.issue });
    issue.addEventListener("input", () => {
      this.pause();
      show({ issue: Number(issue.value) });
    });
    byId("play").addEventListener("click", () => (this.playing ? this.pause() : this.play()));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.pause();
    });
  }

  get playing() {
    return this.timer !== null;
  }

  marks() {
    const { H, header } = this.data;
    const every = Math.ceil(H / 8);
    return header.horizons_min.map((minutes, h) => {
      const mark = element("span", "", h % every === 0 || h === H - 1 ? `${minutes}` : "");
      mark.style.left = `${H === 1 ? 50 : (100 * h) / (H - 1)}%`;
      return mark;
    });
  }

  /** Write the times of horizon `h` of issue `i`. */
  write(i, h) {
    this.issue = i;
    const { header } = this.data;
    const { from, to } = header.targets[i][h], { local } = header.issued_at[i];
    const rush = this.data.rushHour(i, h);
    byId("target").textContent = targetText(this.data, i, h);
    byId("issued").textContent = [
      `issued ${local}`,
      rush === null ? "" : `rush hour ${percent(rush)}`,
      this.data.fromHistory(i, h) ? "typical only, from history" : "",
    ].filter(Boolean).join(" \u00b7 ");
    byId("horizon").value = h;
    byId("horizon").setAttribute(
      "aria-valuetext", `${header.horizons_min[h]} minutes ahead, ${from} to ${to}`);
    byId("horizon-value").textContent = `+${header.horizons_min[h]} min`;
    byId("issue").value = i;
    byId("issue").setAttribute("aria-valuetext", local);
    byId("issue-value").textContent = local;
  }

  play() {
    if (this.issue === this.data.I - 1) this.show({ issue: 0 });
    byId("target").setAttribute("aria-live", "off"); // it would be read at every step
    byId("play").setAttribute("aria-label", "Pause");
    byId("play").classList.add("playing");
    this.timer = setInterval(() => {
      if (this.issue === this.data.I - 1) this.pause();
      else this.show({ issue: this.issue + 1 });
    }, STEP_MS);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    byId("target").setAttribute("aria-live", "polite");
    byId("play").setAttribute("aria-label", "Play the times of issue");
    byId("play").classList.remove("playing");
  }
}
