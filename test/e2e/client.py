"""A gRPC client as a user of Debian's python3-grpcio would write it. Runs one scenario and prints what it saw as JSON.

usage: client.py SCENARIO < settings.json
Settings: grpc (host:port), stubs (folder with the generated modules), key, other_key, tag, run_id.
"""

import json
import sys

settings = json.load(sys.stdin)
sys.path.insert(0, settings["stubs"])

import error_details_pb2
import grpc
import health_pb2
import health_pb2_grpc
import status_pb2
from google.protobuf.json_format import MessageToDict
from portcullis.v1 import (
    agent_pb2,
    hub_pb2_grpc,
    identity_pb2_grpc,
    prompt_attempt_pb2,
    run_event_pb2,
    run_pb2,
    task_pb2,
    token_counts_pb2,
)

channel = grpc.insecure_channel(settings["grpc"], options=[("grpc.max_send_message_length", -1)])
hub = hub_pb2_grpc.HubServiceStub(channel)
identities = identity_pb2_grpc.IdentityServiceStub(channel)

COMPLETED = task_pb2.TASK_STATE_COMPLETED
SUCCESS = prompt_attempt_pb2.ATTEMPT_OUTCOME_SUCCESS


def auth(key=None):
    return (("authorization", "Bearer " + (key or settings["key"])),)


def attempt(run_id, number, **more):
    tokens = token_counts_pb2.TokenCounts(input=374, output=44)
    return prompt_attempt_pb2.RecordPromptAttemptRequest(
        run_id=run_id, attempt_number=number, provider="example", model="model-a", outcome=SUCCESS, tokens=tokens, **more
    )


def start(workflow="python", **more):
    return hub.StartRun(run_pb2.StartRunRequest(workflow=workflow, **more), metadata=auth()).run


def refusal(call):
    """What a caller sees of a refusal, with the ErrorInfo of grpc-status-details-bin."""
    try:
        call()
        return {"code": "OK"}
    except grpc.RpcError as error:
        trailers = dict(error.trailing_metadata() or ())
        seen = {"code": error.code().name, "details": error.details(), "request_id": trailers.get("x-request-id")}
        details = trailers.get("grpc-status-details-bin")
        for packed in status_pb2.Status.FromString(details).details if details else ():
            info = error_details_pb2.ErrorInfo()
            if packed.Unpack(info):
                seen.update(reason=info.reason, domain=info.domain, metadata=dict(info.metadata))
        return seen


def lifecycle():
    run = start(task_id="task-7", prompt_version="v3")
    recorded = hub.RecordPromptAttempt(attempt(run.id, 1), metadata=auth()).attempt
    event = run_event_pb2.RecordRunEventRequest(
        run_id=run.id, event_type="note", message="half way", data_json='{"a":1}'
    )
    noted = hub.RecordRunEvent(event, metadata=auth()).event
    finished = hub.FinishRun(run_pb2.FinishRunRequest(run_id=run.id, status=COMPLETED), metadata=auth()).run
    read = hub.GetRun(run_pb2.GetRunRequest(run_id=run.id), metadata=auth()).run
    return {
        "started": MessageToDict(run),
        "attempt": MessageToDict(recorded),
        "event": MessageToDict(noted),
        "finished": MessageToDict(finished),
        "read_equals_finished": read == finished,
    }


def paging():
    started = [start(workflow="paged").id for _ in range(5)]
    pages, token = [], ""
    while True:
        request = run_pb2.ListRunsRequest(page_size=2, page_token=token, workflow="paged")
        reply = hub.ListRuns(request, metadata=auth())
        pages.append([run.id for run in reply.runs])
        token = reply.next_page_token
        if not token:
            return {"started": started, "pages": pages}


def replay():
    request = attempt(settings["run_id"], 1, idempotency_key=settings["tag"])
    first, first_call = hub.RecordPromptAttempt.with_call(request, metadata=auth())
    again, again_call = hub.RecordPromptAttempt.with_call(request, metadata=auth())
    other = attempt(settings["run_id"], 2, idempotency_key=settings["tag"])
    return {
        "same": first.SerializeToString(deterministic=True) == again.SerializeToString(deterministic=True),
        "first_marked": dict(first_call.initial_metadata()).get("idempotency-replayed"),
        "again_marked": dict(again_call.initial_metadata()).get("idempotency-replayed"),
        "other_payload": refusal(lambda: hub.RecordPromptAttempt(other, metadata=auth())),
    }


def refusals():
    get = run_pb2.GetRunRequest(run_id=settings["run_id"])
    create = agent_pb2.CreateAgentRequest(name="by-an-agent")
    large = attempt(settings["run_id"], 1, error_message="x" * 2 * 1024 * 1024)
    unknown = channel.unary_unary("/portcullis.v1.HubService/NoSuchMethod")
    return {
        "no_credential": refusal(lambda: hub.GetRun(get)),
        "wrong_scope": refusal(lambda: identities.CreateAgent(create, metadata=auth())),
        "revoked": refusal(lambda: hub.GetRun(get, metadata=auth(settings["other_key"]))),
        "too_large": refusal(lambda: hub.RecordPromptAttempt(large, metadata=auth())),
        "unknown_method": refusal(lambda: unknown(b"", metadata=auth())),
    }


def deadline():
    """The caller of this scenario holds what the write needs: no reply can come in time."""
    request = attempt(settings["run_id"], 1, idempotency_key=settings["tag"])
    grpc.channel_ready_future(channel).result(timeout=20)
    return refusal(lambda: hub.RecordPromptAttempt(request, metadata=auth(), timeout=0.001))


def after_deadline():
    request = attempt(settings["run_id"], 1, idempotency_key=settings["tag"])
    recorded = [hub.RecordPromptAttempt(request, metadata=auth()).attempt.id for _ in range(2)]
    run = hub.GetRun(run_pb2.GetRunRequest(run_id=settings["run_id"]), metadata=auth()).run
    return {"attempts": recorded, "total": run.total_attempts}


def health():
    stub = health_pb2_grpc.HealthStub(channel)
    answers = {}
    for service in ("", "portcullis.v1.HubService"):
        reply = stub.Check(health_pb2.HealthCheckRequest(service=service))
        answers[service] = health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)
    answers["unknown"] = refusal(lambda: stub.Check(health_pb2.HealthCheckRequest(service="nobody")))
    return answers


scenarios = (lifecycle, paging, replay, refusals, deadline, after_deadline, health)
print(json.dumps({scenario.__name__: scenario for scenario in scenarios}[sys.argv[1]]()))
