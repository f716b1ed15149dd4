"""Makes the messages of this folder: `python3 make.py`, with openssl and a fresh key.pem of certificate.pem beside it."""
import base64, json, subprocess
FIELDS = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
for version, digest in (("1", "-sha1"), ("2", "-sha256")):
    message = {
        "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-west-2:123456789012:bounces",
        "Message": json.dumps({"notificationType": "Bounce", "mail": {"messageId": "0001"}}),
        "Timestamp": "2027-03-01T12:00:00.000Z", "SignatureVersion": version,
        "SigningCertURL": "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-0123.pem",
    }
    text = "".join(f"{name}\n{message[name]}\n" for name in FIELDS if name in message)
    signed = subprocess.run(["openssl", "dgst", digest, "-sign", "key.pem"], input=text.encode(), stdout=subprocess.PIPE, check=True)
    message["Signature"] = base64.b64encode(signed.stdout).decode()
    with open(f"version_{version}.json", "w") as file:
        json.dump(message, file, indent=1)
