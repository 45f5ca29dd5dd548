// dash.js with the keys of the MPD alone: its answer to `encrypted` events is turned off.
import { script } from "./script.js";

export async function play({ video, mpd, fatal, warning }) {
  await script("/node_modules/dashjs/dist/modern/umd/dash.all.min.js");
  const player = dashjs.MediaPlayer().create();
  player.updateSettings({ streaming: { protection: { ignoreEmeEncryptedEvent: true } } });
  player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => fatal({ code: error.code, message: error.message }));
  player.on(dashjs.Protection.events.KEY_ERROR, ({ error }) => fatal({ code: error?.code, message: error?.message }));
  player.on(dashjs.MediaPlayer.events.PLAYBACK_STALLED, () => warning({ stalled_at_s: video.currentTime }));
  player.initialize(video, mpd, true);
  return player.getVersion();
}
