"""What the libraries of those who send webhooks make of messages. A line in, a line out: a list of questions, and a list
of answers in the same order."""

import json
import sys
from datetime import datetime, timezone
from urllib.parse import parse_qs

import stripe
from standardwebhooks import Webhook
from twilio.request_validator import RequestValidator


class Form(dict):
    """Parameters as the frameworks give them that Twilio's library was written for."""

    def getlist(self, name):
        return self[name]


def form(asked):
    if "bodySHA256" in asked["url"]:
        return asked["body"]
    return Form(parse_qs(asked["body"], keep_blank_values=True))


def sign_stripe(asked):
    signed = f"{asked['at_s']}.{asked['body']}"
    signature = stripe.WebhookSignature._compute_signature(signed, asked["secret"])
    return {"stripe-signature": f"t={asked['at_s']},v1={signature}"}


def sign_twilio(asked):
    parameters = {} if "bodySHA256" in asked["url"] else form(asked)
    return {"x-twilio-signature": RequestValidator(asked["secret"]).compute_signature(asked["url"], parameters)}


def sign_standard(asked):
    at = datetime.fromtimestamp(asked["at_s"], tz=timezone.utc)
    signature = Webhook(asked["secret"]).sign(asked["id"], at, asked["body"])
    return {"webhook-id": asked["id"], "webhook-timestamp": str(asked["at_s"]), "webhook-signature": signature}


def verify_stripe(asked):
    stripe.Webhook.construct_event(asked["body"], asked["headers"]["stripe-signature"], asked["secret"])


def verify_twilio(asked):
    signature = asked["headers"]["x-twilio-signature"]
    if not RequestValidator(asked["secret"]).validate(asked["url"], form(asked), signature):
        raise ValueError("validate said no")


def verify_standard(asked):
    Webhook(asked["secret"]).verify(asked["body"], asked["headers"])


SIGNS = {"stripe": sign_stripe, "twilio": sign_twilio, "standard": sign_standard}
VERIFIES = {"stripe": verify_stripe, "twilio": verify_twilio, "standard": verify_standard}


def answer(asked):
    if asked["do"] == "sign":
        return {"headers": SIGNS[asked["sdk"]](asked)}
    try:
        VERIFIES[asked["sdk"]](asked)
        return {"accepted": True}
    except Exception as error:
        return {"accepted": False, "said": f"{type(error).__name__}: {error}"}


for line in sys.stdin:
    print(json.dumps([answer(asked) for asked in json.loads(line)]), flush=True)
