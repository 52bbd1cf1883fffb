// Reads a QR code with the camera or from a picture, on this device only, and puts its text in a field of the page.
// The reader is npm's qr-scanner; without it, or without a camera, the field is filled in by hand.

const SIDES = [1600, 1000, 600, 2400]; // pixels tried for a picture: a photo is often too fine to read at once

async function start(part) {
  let Reader;
  try {
    Reader = (await import("./qr-scanner.min.js")).default;
  } catch {
    return;
  }
  const field = document.getElementById(part.dataset.scan);
  const video = part.querySelector("video");
  const film = part.querySelector("[data-scan-film]");
  const status = part.querySelector("[role=status]");
  const [on, off] = [part.querySelector("[data-scan-on]"), part.querySelector("[data-scan-off]")];
  let camera = null;

  const say = (name) => {
    status.textContent = part.querySelector(`[data-say="${name}"]`)?.textContent ?? "";
  };
  const show = (isOn) => {
    film.hidden = off.hidden = !isOn;
    on.hidden = isOn;
  };
  const stop = () => {
    camera?.destroy();
    camera = null;
    show(false);
  };
  const take = (text) => {
    stop();
    field.value = text;
    say("found");
    if (part.dataset.send !== "no") field.form.requestSubmit();
    else field.focus();
  };

  on.addEventListener("click", async () => {
    show(true);
    say("looking");
    camera = new Reader(video, (found) => camera && take(found.data), { returnDetailedScanResult: true });
    try {
      await camera.start();
    } catch {
      stop();
      say("no-camera");
    }
  });
  off.addEventListener("click", () => {
    stop();
    say("stopped");
    on.focus();
  });
  part.querySelector("input[type=file]").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    say("looking");
    const text = await readPicture(Reader, file);
    event.target.value = "";
    if (text) take(text);
    else say("nothing");
  });
  part.hidden = false;
}

async function readPicture(Reader, file) {
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    return "";
  }
  for (const side of SIDES) {
    const scale = side / Math.max(picture.width, picture.height);
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    const brush = canvas.getContext("2d");
    brush.fillStyle = "#fff";
    brush.fillRect(0, 0, canvas.width, canvas.height);
    brush.imageSmoothingEnabled = scale < 1;
    brush.drawImage(picture, 0, 0, canvas.width, canvas.height);
    try {
      return (await Reader.scanImage(canvas, { returnDetailedScanResult: true })).data;
    } catch {
      // Not at this size.
    }
  }
  return "";
}

for (const part of document.querySelectorAll("[data-scan]")) start(part);
