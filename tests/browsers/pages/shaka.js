// Shaka Player with nothing configured: key system and license URL are what the MPD says.
import { script } from "./script.js";

export async function play({ video, mpd, fatal, warning }) {
  await script("/node_modules/shaka-player/dist/shaka-player.dash.js");
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  player.addEventListener("error", ({ detail }) => {
    const { severity, category, code, data } = detail;
    (severity === shaka.util.Error.Severity.CRITICAL ? fatal : warning)({ category, code, data });
  });
  await player.attach(video);
  await player.load(mpd).catch(fatal);
  return shaka.Player.version;
}
