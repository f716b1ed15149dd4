// What the libraries of those who send webhooks make of messages. A line in, a line out: a list of questions, and a list
// of answers in the same order. The one argument is the folder where the libraries lie.
import crypto from "node:crypto";
import https from "node:https";
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { createInterface } from "node:readline";

const require = createRequire(`${process.argv[2]}/`);
const Stripe = require("stripe");
const stripe = new (Stripe.default ?? Stripe)("sk_test_of_nobody");
const twilio = require("twilio/lib/webhooks/webhooks.js");
const standard = require("standardwebhooks");
const svix = require("svix/dist/webhook.js");

// How an Ed25519 key is told from others in DER, before its 32 bytes.
const ED25519 = Buffer.from("302a300506032b6570032100", "hex");

const form = (body) => {
    const parameters = {};
    for (const [name, value] of new URLSearchParams(body)) {
        const before = parameters[name];
        parameters[name] = before === undefined ? value : [before, value].flat();
    }
    return parameters;
};

const signs = {
    stripe: ({ secret, body, at_s }) => ({
        "stripe-signature": stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: at_s }),
    }),
    twilio: ({ secret, url, body }) => ({
        "x-twilio-signature": twilio.getExpectedTwilioSignature(secret, url, url.includes("bodySHA256") ? {} : form(body)),
    }),
    standard: (asked) => signStandard(new standard.Webhook(asked.secret), "webhook", asked),
    svix: (asked) => signStandard(new svix.Webhook(asked.secret), "svix", asked),
};

function signStandard(webhook, prefix, { id, at_s, body }) {
    return {
        [`${prefix}-id`]: id,
        [`${prefix}-timestamp`]: String(at_s),
        [`${prefix}-signature`]: webhook.sign(id, new Date(at_s * 1000), body),
    };
}

const verifies = {
    stripe: ({ secret, headers, body }) => stripe.webhooks.constructEvent(body, headers["stripe-signature"], secret),
    twilio: ({ secret, url, headers, body }) => {
        const signature = headers["x-twilio-signature"];
        const fits = url.includes("bodySHA256")
            ? twilio.validateRequestWithBody(secret, signature, url, body)
            : twilio.validateRequest(secret, signature, url, form(body));
        if (!fits) throw new Error("validateRequest said no");
    },
    standard: ({ secret, headers, body }) => new standard.Webhook(secret).verify(body, headers),
    svix: ({ secret, headers, body }) => new svix.Webhook(secret).verify(body, headers),
    sns: ({ certificate, body }) => {
        https.get = (_url, answer) => {
            const response = Readable.from([certificate]);
            response.statusCode = 200;
            answer(response);
            return { on() {} };
        };
        // It remembers certificates by their address, and each question brings its own.
        delete require.cache[require.resolve("sns-validator")];
        const validator = new (require("sns-validator"))();
        return new Promise((done, refuse) =>
            validator.validate(JSON.parse(body), (error) => (error ? refuse(error) : done())),
        );
    },
    // No library of the standard for this language checks v1a: what the runtime brings does.
    ed25519: ({ secret, headers, body }) => {
        const raw = Buffer.from(secret.replace("whpk_", ""), "base64");
        const key = crypto.createPublicKey({ key: Buffer.concat([ED25519, raw]), format: "der", type: "spki" });
        const message = Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`);
        const signatures = headers["webhook-signature"].split(" ").filter((one) => one.startsWith("v1a,"));
        const fits = (one) => crypto.verify(null, message, key, Buffer.from(one.slice(4), "base64"));
        if (!signatures.some(fits)) throw new Error("no signature fits");
    },
};

async function answer(asked) {
    if (asked.do === "sign") return { headers: signs[asked.sdk](asked) };
    try {
        await verifies[asked.sdk](asked);
        return { accepted: true };
    } catch (error) {
        return { accepted: false, said: String(error?.message ?? error) };
    }
}

for await (const line of createInterface({ input: process.stdin })) {
    const answers = [];
    for (const asked of JSON.parse(line)) answers.push(await answer(asked));
    process.stdout.write(`${JSON.stringify(answers)}\n`);
}
