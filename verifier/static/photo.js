// Prepares a photograph before it is sent, and says what is happening to it.
//
// A telephone's photograph has megabytes, and where it was taken is written in it.  Here it is
// drawn anew, upright and as small as the comparison needs; nothing but pixels is left.  What
// the page answers is the server's own page, taken over whole; what is said meanwhile stands in
// the form, in the reader's language.  Without this module the form is
// sent as it is, and the answer is the same.

const LONGEST_SIDE = 1600; // pixels; the comparison looks at 800
const QUALITY = 0.88;

/** The photograph, made small; as it was where this browser cannot read or draw it. */
async function prepared(file) {
  try {
    const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
    const canvas = new OffscreenCanvas(
      Math.max(1, Math.round(picture.width * scale)),
      Math.max(1, Math.round(picture.height * scale)),
    );
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    picture.close();
    const small = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
    return small.type === "image/jpeg" ? small : file;
  } catch {
    return file; // the server says what is wrong with it
  }
}

/** Send the form, telling how far it is; the answer as a document. */
function send(form, photo, tell) {
  const body = new FormData();
  body.set("angle", form.elements.angle.value);
  body.set("photo", photo, "photograph.jpg");
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.responseType = "document";
    request.timeout = 90_000;
    request.upload.onprogress = (sent) => {
      if (sent.lengthComputable) tell(form.dataset.sending.replace("{n}", String(Math.floor((100 * sent.loaded) / sent.total))));
    };
    request.upload.onload = () => tell(form.dataset.checking);
    request.onload = () => resolve({ good: request.status === 200, page: request.response });
    request.onerror = request.ontimeout = () => reject(new Error("no answer"));
    request.send(body);
  });
}

/** Put the answer's page in the place of this one, and begin to read it. */
function show(page) {
  const main = document.adoptNode(page.querySelector("main"));
  document.querySelector("main").replaceWith(main);
  document.title = page.title;
  const head = main.querySelector("h1");
  head.tabIndex = -1;
  head.focus();
  scrollTo(0, 0);
  begin();
}

function begin() {
  const form = document.getElementById("send");
  if (form === null) return;
  const state = document.getElementById("state");
  const button = form.querySelector("button");
  const tell = (words) => {
    state.textContent = words;
  };
  let isSending = false;
  form.elements.photo.addEventListener("change", () => tell(""));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [file] = form.elements.photo.files;
    if (isSending || file === undefined) return;
    isSending = true;
    button.setAttribute("aria-disabled", "true");
    tell(form.dataset.preparing);
    try {
      const { good, page } = await send(form, await prepared(file), tell);
      const why = page?.querySelector("[data-why]");
      if (good) show(page);
      else tell(why === null || why === undefined ? form.dataset.again : `${form.dataset.not}. ${why.textContent}`);
    } catch {
      tell(form.dataset.again);
    }
    isSending = false;
    button.removeAttribute("aria-disabled");
  });
}

begin();
