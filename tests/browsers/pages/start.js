// Starts the player that the address names: /pages/player.html?player=NAME&mpd=URL&license=URL
// window.report() says how it goes, in the words of HTMLMediaElement.

const query = new URLSearchParams(location.search);
const name = query.get("player");
const video = document.getElementById("video");
const errors = [];
const warnings = [];

window.report = () => {
  const quality = video.getVideoPlaybackQuality();
  return {
    current_time_s: video.currentTime,
    ready_state: video.readyState,
    paused: video.paused,
    decoded_frames: quality.totalVideoFrames,
    dropped_frames: quality.droppedVideoFrames,
    width: video.videoWidth,
    height: video.videoHeight,
    version: window.playerVersion ?? null,
    errors,
    warnings,
  };
};

const words = (error) => {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : (JSON.stringify(error) ?? String(error));
  } catch {
    return String(error); // it holds itself
  }
};
const fatal = (error) => errors.push(words(error));
const warning = (error) => warnings.push(words(error));

video.addEventListener("error", () => fatal({ media_error: video.error.code, message: video.error.message }));
addEventListener("unhandledrejection", (event) => fatal(event.reason));
document.getElementById("player").textContent = name;

try {
  const { play } = await import(`/pages/${name}.js`);
  window.playerVersion = await play({ video, mpd: query.get("mpd"), license: query.get("license"), fatal, warning });
} catch (error) {
  fatal(error);
}
