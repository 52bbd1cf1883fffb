// Asks an authenticator for a passkey and sends its answer with the form. Without this the passphrase remains.

const decode = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

// The options as the browser wants them: binary values as bytes. (parseCreationOptionsFromJSON is not everywhere.)
function fromJson(options) {
  const made = { ...options, challenge: decode(options.challenge) };
  if (made.user) made.user = { ...made.user, id: decode(made.user.id) };
  for (const list of ["allowCredentials", "excludeCredentials"]) {
    if (made[list]) made[list] = made[list].map((one) => ({ ...one, id: decode(one.id) }));
  }
  const asked = options.extensions.prf;
  const prf = {};
  if (asked.eval) prf.eval = { first: decode(asked.eval.first) };
  if (asked.evalByCredential) {
    prf.evalByCredential = {};
    for (const [id, salt] of Object.entries(asked.evalByCredential)) {
      prf.evalByCredential[id] = { first: decode(salt.first) };
    }
  }
  made.extensions = { prf };
  return made;
}

// Some authenticators give the secret while they make the passkey; others only when it is used.
async function secretOf(credential, options) {
  const made = credential.getClientExtensionResults().prf;
  if (made?.results?.first || options.allowCredentials) return made?.results?.first;
  if (!made?.enabled) return undefined;
  const used = await navigator.credentials.get({
    publicKey: {
      challenge: crypto.getRandomValues(new Uint8Array(32)),
      rpId: options.rp.id,
      userVerification: "required",
      allowCredentials: [{ type: "public-key", id: credential.rawId }],
      extensions: { prf: { eval: { first: options.extensions.prf.eval.first } } },
    },
  });
  return used.getClientExtensionResults().prf?.results?.first;
}

async function ask(form) {
  const options = fromJson(JSON.parse(form.dataset.options));
  const isNew = form.dataset.passkey === "create";
  const credential = isNew
    ? await navigator.credentials.create({ publicKey: options })
    : await navigator.credentials.get({ publicKey: options });
  const { response } = credential;
  const put = (name, buffer) => (form.elements[name].value = buffer ? encode(buffer) : "");
  put("credential", credential.rawId);
  put("client_data", response.clientDataJSON);
  put("authenticator_data", isNew ? response.getAuthenticatorData() : response.authenticatorData);
  put("secret", await secretOf(credential, options));
  if (isNew) put("public", response.getPublicKey());
  else put("signature", response.signature);
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const failed = form.querySelector("[data-passkey-failed]");
    failed.hidden = true;
    try {
      await ask(form);
      form.submit();
    } catch {
      failed.hidden = false;
    }
  });
}
