// Asks the senders' JavaScript code: a line of JSON in, a line of JSON out, as test_node_sdks.py speaks it.
//
// `verify` says whether their code takes a request, `sign` gives the headers that their code makes. A request has
// `secret`, `method`, `url`, `headers` (lower case), `body` (text) and `raw` (the same, in bytes). Whatever their
// code throws is a refusal.
import * as crypto from "node:crypto";
import { EventEmitter } from "node:events";
import https from "node:https";
import { createRequire, register } from "node:module";
import * as readline from "node:readline";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const answers = process.stdout.write.bind(process.stdout);
console.log = console.debug = console.info = console.warn = console.error = () => {}; // theirs, on our line

const bearer = (headers) => headers.authorization.replace(/^Bearer /, "");
const publicPem = (privatePem) => crypto.createPublicKey(privatePem).export({ type: "spki", format: "pem" });
const split = (text, mark) => [text.slice(0, text.indexOf(mark)), text.slice(text.indexOf(mark) + mark.length)];
const web = (request) =>
  new Request(request.url, { method: request.method, headers: request.headers, body: request.raw });

// --- packages that need to be talked into working outside their place

// nuxt-webhook-validators takes its settings from what Nuxt provides; what Pipedream's components get of its platform
// is not needed to check a signature.
globalThis.nuxtSettings = {};
const STAND_INS = {
  "#imports": "export const useRuntimeConfig = () => globalThis.nuxtSettings",
  "@pipedream/platform": "export const axios = undefined",
};
register(
  "data:text/javascript," +
    encodeURIComponent(`const known = ${JSON.stringify(STAND_INS)};
      export const resolve = (name, context, next) => name in known
        ? { url: "data:text/javascript," + encodeURIComponent(known[name]), shortCircuit: true }
        : next(name, context)`),
);

function nuxt(file, name, settings) {
  return {
    verify: async (request) => {
      globalThis.nuxtSettings = { webhook: { [file.split(".")[0]]: settings(request.secret) } };
      const place = new URL("nuxt-webhook-validators/dist/runtime/server/lib/validators/", NODE_MODULES);
      const validators = await import(new URL(`${file}.js`, place));
      return validators[name]({ node: { req: { headers: request.headers, method: "POST", rawBody: request.raw } },
        headers: new Headers(request.headers), method: "POST", context: {}, _requestBody: request.body });
    },
  };
}

const NODE_MODULES = new URL("./node_modules/", import.meta.url);
// The index of Sinch's package asks for another that it does not depend on.
const SINCH = fileURLToPath(new URL("@sinch/sdk-client/dist/utils/authorization.helper.js", NODE_MODULES));
const secretKey = (secret) => ({ secretKey: secret });

function tern(platform) {
  return {
    verify: async (request) => {
      const { WebhookVerificationService } = require("@hookflo/tern");
      const verified = await WebhookVerificationService.verifyWithPlatformConfig(web(request), platform, request.secret);
      return verified.isValid;
    },
  };
}

function cloudinary(algorithm) {
  const settings = (secret) => {
    const { v2 } = require("cloudinary");
    v2.config({ api_secret: secret, signature_algorithm: algorithm });
    return v2.utils;
  };
  return {
    verify: ({ secret, body, headers }) =>
      settings(secret).verifyNotificationSignature(
        body, Number(headers["x-cld-timestamp"]), headers["x-cld-signature"]),
    sign: ({ secret, body, headers }) => ({
      "x-cld-signature": settings(secret).webhook_signature(body, headers["x-cld-timestamp"],
        { api_secret: secret, signature_algorithm: algorithm }),
    }),
  };
}

function google(audienceOf, issuer) {
  return {
    verify: async ({ secret, headers }) => {
      const { OAuth2Client } = require("google-auth-library");
      const [identity, key] = split(secret, "\n");
      const token = bearer(headers);
      const { kid } = JSON.parse(Buffer.from(token.split(".")[0], "base64url"));
      await new OAuth2Client().verifySignedJwtWithCertsAsync(
        token, { [kid]: publicPem(key) }, audienceOf(identity), [issuer]);
      return true;
    },
  };
}

// sns-validator fetches the certificate; here it gets the public key without a network.
function withCertificate(pem, ask) {
  const { get } = https;
  https.get = (url, answer) => {
    const response = new EventEmitter();
    response.statusCode = 200;
    answer(response);
    response.emit("data", pem);
    response.emit("end");
    return new EventEmitter();
  };
  return ask().finally(() => (https.get = get));
}

const ROWS = {
  // --- the senders' own
  atlassian_connect: {
    verify: (request) => {
      const jwt = require("atlassian-jwt");
      const token = request.headers.authorization.replace(/^JWT /, "");
      const claims = jwt.decodeSymmetric(token, request.secret, "HS256");
      return claims.qsh === jwt.createQueryStringHash(jwt.fromMethodAndUrl(request.method, request.url), false);
    },
    sign: ({ secret, method, url }) => {
      const jwt = require("atlassian-jwt");
      const now = Math.floor(Date.now() / 1000);
      const qsh = jwt.createQueryStringHash(jwt.fromMethodAndUrl(method, url), false);
      const token = jwt.encodeSymmetric({ iss: "host", iat: now, exp: now + 180, qsh }, secret, "HS256");
      return { authorization: `JWT ${token}` };
    },
  },
  aws_sns: {
    verify: ({ secret, body }) => {
      const Validator = require("sns-validator");
      return withCertificate(publicPem(split(secret, "\n")[1]), () =>
        new Promise((resolve) => new Validator().validate(body, (error) => resolve(!error))));
    },
  },
  chargebee: {
    verify: async ({ secret, headers }) => {
      const { basicAuthValidator } = await import("chargebee");
      const [user, password] = split(secret, ":");
      await basicAuthValidator((name, word) => name === user && word === password)(headers);
      return true;
    },
  },
  clerk: {
    verify: async (request) => {
      const { verifyWebhook } = require("@clerk/backend/webhooks");
      await verifyWebhook(web(request), { signingSecret: request.secret });
      return true;
    },
  },
  cloudinary: cloudinary("sha1"),
  cloudinary_sha256: cloudinary("sha256"),
  contentful: {
    verify: ({ secret, method, url, headers, body }) => {
      const { verifyRequest } = require("@contentful/node-apps-toolkit");
      const { pathname, search } = new URL(url);
      return verifyRequest(secret, { method, path: pathname + search, headers, body });
    },
    sign: ({ secret, method, url, body }) => {
      const { signRequest } = require("@contentful/node-apps-toolkit");
      const { pathname, search } = new URL(url);
      const headers = { "content-type": "application/json" };
      return signRequest(secret, { method, path: pathname + search, headers, body }, Date.now());
    },
  },
  github: {
    verify: async ({ secret, headers, body }) => {
      const { verify } = await import("@octokit/webhooks-methods");
      return verify(secret, body, headers["x-hub-signature-256"]);
    },
    sign: async ({ secret, body }) => {
      const { sign } = await import("@octokit/webhooks-methods");
      return { "x-hub-signature-256": await sign(secret, body) };
    },
  },
  google_chat: google((identity) => identity, "chat@system.gserviceaccount.com"),
  google_pubsub: google((identity) => identity.split(" ")[0], "https://accounts.google.com"),
  hook0: {
    verify: ({ secret, headers, raw }) => {
      const { verifyWebhookSignature } = require("hook0-client");
      return verifyWebhookSignature(
        headers["x-hook0-signature"], raw, new Headers(headers), secret, 300, new Date());
    },
  },
  lark: {
    verify: async ({ secret, headers, body }) => {
      const { EventDispatcher } = require("@larksuiteoapi/node-sdk");
      const dispatcher = new EventDispatcher({ encryptKey: secret });
      // as their adapters do: the headers hang on the data, and are not signed with it
      const data = Object.assign(Object.create({ headers }), JSON.parse(body));
      return (await dispatcher.invoke(data)) !== undefined;
    },
  },
  linear: {
    verify: async ({ secret, headers, raw }) => {
      const { LinearWebhookClient } = await import("@linear/sdk/webhooks");
      return new LinearWebhookClient(secret).verify(raw, headers["linear-signature"]);
    },
  },
  livekit: {
    verify: async ({ secret, headers, body }) => {
      const { WebhookReceiver } = await import("livekit-server-sdk");
      await new WebhookReceiver(...split(secret, ":")).receive(body, headers.authorization);
      return true;
    },
    sign: async ({ secret, raw }) => {
      const { AccessToken } = await import("livekit-server-sdk");
      const token = new AccessToken(...split(secret, ":"), { ttl: 300 });
      token.sha256 = crypto.createHash("sha256").update(raw).digest("base64");
      return { authorization: await token.toJwt() };
    },
  },
  mux: {
    verify: async ({ secret, headers, body }) => {
      const { default: Mux } = await import("@mux/mux-node");
      await new Mux({ tokenId: "-", tokenSecret: "-" }).webhooks.verifySignature(body, headers, secret);
      return true;
    },
  },
  notion: {
    verify: ({ secret, headers, body }) =>
      require("@notionhq/client").verifyWebhookSignature(
        { body, signature: headers["x-notion-signature"], verificationToken: secret }),
    sign: async ({ secret, body }) => ({
      "x-notion-signature": await require("@notionhq/client").signWebhookPayload({ body, verificationToken: secret }),
    }),
  },
  onfido: {
    verify: ({ secret, headers, raw }) => {
      const { WebhookEventVerifier } = require("@onfido/api");
      return Boolean(new WebhookEventVerifier(secret).readPayload(raw, headers["x-sha2-signature"]));
    },
  },
  sanity: {
    verify: async ({ secret, headers, body }) => {
      const { assertValidSignature } = await import("@sanity/webhook");
      await assertValidSignature(body, headers["sanity-webhook-signature"], secret);
      return true;
    },
    sign: async ({ secret, body }) => {
      const { encodeSignatureHeader } = await import("@sanity/webhook");
      return { "sanity-webhook-signature": await encodeSignatureHeader(body, Date.now(), secret) };
    },
  },
  shopify: {
    verify: async (request) => {
      require("@shopify/shopify-api/adapters/web-api");
      const { shopifyApi } = require("@shopify/shopify-api");
      const shopify = shopifyApi({ apiKey: "-", apiSecretKey: request.secret, hostName: "hooks.example.com",
        apiVersion: "2025-10", isEmbeddedApp: false, logger: { log: () => {} } });
      const verdict = await shopify.webhooks.validate({ rawBody: request.body, rawRequest: web(request) });
      return verdict.valid;
    },
  },
  sinch: {
    verify: ({ secret, headers, body }) =>
      require(SINCH).validateWebhookSignature(secret, headers, body),
    sign: ({ secret, headers, body }) => {
      const { computeSignedData, calculateWebhookSignature } = require(SINCH);
      const signed = computeSignedData(
        body, headers["x-sinch-webhook-signature-nonce"], headers["x-sinch-webhook-signature-timestamp"]);
      return { "x-sinch-webhook-signature": calculateWebhookSignature(signed, secret) };
    },
  },
  sinch_numbers: {
    verify: ({ secret, headers, body }) =>
      require(SINCH).validateSignatureHeader(secret, headers, body),
  },
  sinch_voice: {
    verify: ({ secret, method, url, headers, body }) =>
      require(SINCH).validateAuthenticationHeader(
        ...split(secret, ":"), headers, body, new URL(url).pathname, method),
    sign: ({ secret, method, url, headers, body }) => {
      const { generateAuthorizationHeader } = require(SINCH);
      const time = `x-timestamp:${headers["x-timestamp"]}`;
      return { authorization: generateAuthorizationHeader(
        method, body, headers["content-type"], time, new URL(url).pathname, ...split(secret, ":")) };
    },
  },
  vonage: {
    // The library looks at the token alone; the claim over the body is compared as its documentation says.
    verify: ({ secret, headers, raw }) => {
      const { verifySignature } = require("@vonage/jwt");
      const token = bearer(headers);
      const claims = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
      const digest = crypto.createHash("sha256").update(raw).digest("hex");
      return verifySignature(token, secret) && claims.payload_hash === digest;
    },
  },
  webflow: {
    verify: ({ secret, headers, body }) => {
      const { WebflowClient } = require("webflow-api");
      return new WebflowClient({ accessToken: "-" }).webhooks.verifySignature({ headers, body, secret });
    },
  },
  workos: {
    verify: async ({ secret, headers, body }) => {
      const { WorkOS } = await import("@workos-inc/node");
      const { webhooks } = new WorkOS("-");
      const payload = JSON.parse(body);
      return webhooks.verifyHeader({ payload, sigHeader: headers["workos-signature"], secret });
    },
    sign: async ({ secret, body }) => {
      const { WorkOS } = await import("@workos-inc/node");
      const time = Date.now();
      const made = await new WorkOS("-").webhooks.computeSignature(time, JSON.parse(body), secret);
      return { "workos-signature": `t=${time}, v1=${made}` };
    },
  },
  x: {
    verify: ({ secret, headers, body }) =>
      require("twitter-autohook").validateSignature(headers, { consumer_secret: secret }, body),
  },
  zoom: {
    verify: async ({ secret, headers, body }) => {
      const { AwsLambdaReceiver } = await import("@zoom/rivet/chatbot");
      const receiver = new AwsLambdaReceiver({ webhooksSecretToken: secret });
      receiver.init({ eventEmitter: new EventEmitter() });
      return (await receiver.start()({ headers, body }, {})).statusCode === 200;
    },
  },

  // --- not the senders' own, but others run on them
  bitbucket: nuxt("bitbucket", "isValidBitbucketWebhook", secretKey),
  brevo: nuxt("brevo", "isValidBrevoWebhook", (secret) => ({ token: secret })),
  calendly: {
    verify: async ({ secret, headers, body }) => {
      const file = new URL("@pipedream/calendly_v2/sources/common/common.mjs", NODE_MODULES);
      const { methods } = (await import(file)).default;
      const source = { ...methods, db: { get: () => secret } };
      const { t, signature } = source._getCalendlySignature({ headers });
      source._checkHmac(t, signature, body);
      source._checkReplayAttack(t);
      return true;
    },
  },
  cal_com: nuxt("calcom.post", "isValidCalcomWebhook", secretKey),
  docusign: nuxt("docusign", "isValidDocusignWebhook", secretKey),
  dropbox: nuxt("dropbox", "isValidDropboxWebhook", (secret) => ({ appSecret: secret })),
  grafana: tern("grafana"),
  heroku: nuxt("heroku", "isValidHerokuWebhook", secretKey),
  jws: {
    verify: async ({ secret, headers, raw }) => {
      const { flattenedVerify } = await import("jose");
      const [head, , signature] = headers["x-jws-signature"].split(".");
      await flattenedVerify({ protected: head, payload: raw, signature }, crypto.createPublicKey(secret));
      return true;
    },
    sign: async ({ secret, raw }) => {
      const { FlattenedSign } = await import("jose");
      const head = { alg: "RS256", b64: false, crit: ["b64"] };
      const made = await new FlattenedSign(raw).setProtectedHeader(head).sign(crypto.createPrivateKey(secret));
      return { "x-jws-signature": `${made.protected}..${made.signature}` };
    },
  },
  lemon_squeezy: {
    verify: async (request) => {
      const { whatwgWebhooksHandler } = require("lemonsqueezy-webhooks");
      const answer = await whatwgWebhooksHandler(
        { request: web(request), secret: request.secret, onData: () => {}, onError: () => {} });
      return answer.status === 200;
    },
  },
  mailgun: {
    verify: ({ secret, body }) => {
      const { timestamp, token, signature } = JSON.parse(body).signature;
      const client = require("mailgun-js")({ apiKey: secret, domain: "example.com", mute: true });
      return client.validateWebhook(timestamp, token, signature);
    },
  },
  meta: {
    verify: async ({ secret, headers, body }) => {
      const { WhatsAppAPI } = await import("whatsapp-api-js");
      const client = new WhatsAppAPI({ token: "-", appSecret: secret, ponyfill: { subtle: crypto.webcrypto.subtle } });
      return client.verifyRequestSignature(body, headers["x-hub-signature-256"]);
    },
  },
  netlify: nuxt("netlify", "isValidNetlifyWebhook", secretKey),
  sentry: tern("sentry"),
  telegram: {
    verify: async (request) => {
      const { Bot, webhookCallback } = require("grammy");
      const bot = new Bot("-", { botInfo: { id: 1, is_bot: true, first_name: "-", username: "-" } });
      const answer = await webhookCallback(bot, "std/http", { secretToken: request.secret })(web(request));
      return answer.status === 200;
    },
  },
  twitch: {
    verify: async ({ secret, headers, body }) => {
      // what both its listener and its middleware are made of; not exported
      const file = new URL("@twurple/eventsub-http/lib/EventSubHttpBase.js", NODE_MODULES);
      const { EventSubHttpBase } = await import(file);
      const name = "twitch-eventsub-message-";
      return EventSubHttpBase.prototype._verifyData.call({ _secret: secret }, headers[`${name}id`],
        headers[`${name}timestamp`], body, headers[`${name}signature`]);
    },
  },
  vercel: nuxt("vercel", "isValidVercelWebhook", secretKey),
  woocommerce: tern("woocommerce"),
};

async function answer({ ask, row, request }) {
  if (ask === "rows") return Object.fromEntries(Object.entries(ROWS).map(([name, one]) => [name, Object.keys(one)]));
  const raw = Buffer.from(request.body, "base64");
  const whole = { ...request, raw, body: raw.toString() };
  if (ask === "sign") return { headers: await ROWS[row].sign(whole) };
  try {
    return { ok: Boolean(await ROWS[row].verify(whole)) };
  } catch (error) {
    return { ok: false, error: `${error?.name}: ${error?.message}` };
  }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  answers(`${JSON.stringify(await answer(JSON.parse(line)).catch((error) => ({ failed: String(error?.stack) })))}\n`);
}
