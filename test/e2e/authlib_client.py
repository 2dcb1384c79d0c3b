"""What Authlib, another implementation of OAuth, does as a client: one step for each line of JSON, one line of JSON for each result."""

import json
import sys

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT

settings = json.loads(sys.stdin.readline())
metadata = requests.get(settings["issuer"] + "/.well-known/oauth-authorization-server", timeout=20).json()
token_endpoint = metadata["token_endpoint"]


def session_of(app, **more):
    secret = app["private_key"] if app["method"] == "private_key_jwt" else app["secret"]
    method = app["method"]
    session = OAuth2Session(
        app["id"], secret, token_endpoint_auth_method=method, revocation_endpoint_auth_method=method, **more
    )
    session.trust_env = False
    if app["method"] == "private_key_jwt":
        # The audience is the issuer and nothing else, as RFC 7523bis has it.
        signer = PrivateKeyJWT(metadata["issuer"], alg="ES256", headers={"kid": app["kid"]})
        session.register_client_auth_method(signer)
    return session


def client_credentials(step):
    token = session_of(step["app"], scope=step["scope"]).fetch_token(token_endpoint, grant_type="client_credentials")
    called = requests.post(
        settings["issuer"] + "/portcullis.v1.HubService/ListRuns",
        json={},
        headers={"authorization": "Bearer " + token["access_token"]},
        timeout=20,
    )
    return {"token": token, "status": called.status_code}


def introspect(step):
    session = session_of(step["app"])
    return session.introspect_token(metadata["introspection_endpoint"], token=step["token"]).json()


def revoke(step):
    return {"status": session_of(step["app"]).revoke_token(metadata["revocation_endpoint"], token=step["token"]).status_code}


def authorize(step):
    session = session_of(step["app"], scope=step["scope"], redirect_uri=step["redirect_uri"], code_challenge_method="S256")
    url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=step["verifier"])
    return {"url": url, "state": state}


def exchange(step):
    session = session_of(step["app"], redirect_uri=step["redirect_uri"], state=step["state"])
    return session.fetch_token(
        token_endpoint, authorization_response=step["response"], code_verifier=step["verifier"]
    )


def refresh(step):
    return session_of(step["app"]).refresh_token(token_endpoint, refresh_token=step["token"])


steps = {
    "client_credentials": client_credentials,
    "introspect": introspect,
    "revoke": revoke,
    "authorize": authorize,
    "exchange": exchange,
    "refresh": refresh,
}

for line in sys.stdin:
    step = json.loads(line)
    try:
        result = {"ok": steps[step["step"]](step)}
    except OAuthError as error:
        result = {"error": error.error}
    print(json.dumps(result), flush=True)
