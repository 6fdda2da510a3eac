"""The maps that come with phitrail: one a form, so that common files need no map.

Paths are written without case, `_` and `-` (`userid` is `user_id`, `userId`, `UserID`);
the first of a line counts. CSV has none: a column may mean anything.

Sources: fields of commonly published AI audit loggers; AWS CloudTrail record contents;
HL7 FHIR AuditEvent with the code systems DICOM DCM and HL7 v3 ActReason.
"""

from collections.abc import Iterable, Mapping

from phitrail.capture.history.chain import ChainFields
from phitrail.capture.history.field_map import FieldMap, FieldRule
from phitrail.capture.history.form import HistoryForm
from phitrail.capture.history.key_use import BUILT_IN
from phitrail.capture.history.targets import TARGETS
from phitrail.events.codes import Action, EventType, Outcome, PurposeOfUse

ACTIONS: Mapping[str, str] = {
    "rag_query": Action.QUERY,
    "ragquery": Action.QUERY,
    "search": Action.QUERY,
    "ask": Action.QUERY,
    "chat": Action.QUERY,
    "llm_query": Action.QUERY,
    "ai_query": Action.QUERY,
    "rag_retrieval": Action.RETRIEVE,
    "retrieval": Action.RETRIEVE,
    "vector_search": Action.RETRIEVE,
    "document_retrieval": Action.RETRIEVE,
    "get": Action.READ,
    "fetch": Action.READ,
    "access": Action.READ,
    "open": Action.VIEW,
    "display": Action.VIEW,
    "create": Action.WRITE,
    "update": Action.WRITE,
    "modify": Action.WRITE,
    "delete": Action.WRITE,
    "download": Action.EXPORT,
    "print": Action.EXPORT,
    "inference": Action.INFER,
    "llm_inference": Action.INFER,
    "model_inference": Action.INFER,
    "generate": Action.INFER,
    "completion": Action.INFER,
    "summarize": Action.INFER,
    "denied": Action.DENY,
    "access_denied": Action.DENY,
}
"""What other loggers call what was done; ours stand for themselves."""

_EVENT_TYPES: Mapping[str, str] = {
    "phi_access": EventType.PHI_READ,
    "phi_query": EventType.PHI_READ,
    "rag_query": EventType.PHI_READ,
    "record_access": EventType.PHI_READ,
    "patient_record_access": EventType.PHI_READ,
    "data_access": EventType.PHI_READ,
    "llm_inference": EventType.AI_INFERENCE,
    "model_inference": EventType.AI_INFERENCE,
    "inference": EventType.AI_INFERENCE,
    "access_denied": EventType.PHI_ACCESS_DENIED,
    "login": EventType.SESSION_STARTED,
    "logout": EventType.SESSION_ENDED,
    "login_failed": EventType.SESSION_DENIED,
    **{kind.value: kind for kind in EventType},
}
_OUTCOMES: Mapping[str, str] = {
    "ok": Outcome.SUCCESS,
    "true": Outcome.SUCCESS,
    "allowed": Outcome.SUCCESS,
    "allow": Outcome.SUCCESS,
    "permit": Outcome.SUCCESS,
    "granted": Outcome.SUCCESS,
    "successful": Outcome.SUCCESS,
    "completed": Outcome.SUCCESS,
    "200": Outcome.SUCCESS,
    "false": Outcome.FAILED,
    "failure": Outcome.FAILED,
    "fail": Outcome.FAILED,
    "error": Outcome.FAILED,
    "500": Outcome.FAILED,
    "deny": Outcome.DENIED,
    "403": Outcome.DENIED,
    "unauthorized": Outcome.DENIED,
}
_PURPOSES: Mapping[str, str] = {
    "treat": PurposeOfUse.TREATMENT,
    "tpo": PurposeOfUse.OPERATIONS,
    "hpaymt": PurposeOfUse.PAYMENT,
    "hoperat": PurposeOfUse.OPERATIONS,
    "etreat": PurposeOfUse.EMERGENCY,
    "btg": PurposeOfUse.EMERGENCY,
    "hresch": PurposeOfUse.RESEARCH,
    "pubhlth": PurposeOfUse.PUBLIC_HEALTH,
    "patrqt": PurposeOfUse.PATIENT_REQUEST,
    "hqualimp": PurposeOfUse.QUALITY_IMPROVEMENT,
    "hlegal": PurposeOfUse.LEGAL,
    "train": PurposeOfUse.EDUCATION,
    "hsysadmin": PurposeOfUse.SYSTEM_ADMINISTRATION,
}

_Paths = Mapping[str, str]


def _rules(
    paths: _Paths,
    *,
    values: Mapping[str, Mapping[str, str]],
    or_leave_out: Iterable[str] = (),
    scale: Mapping[str, int] | None = None,
) -> dict[str, FieldRule]:
    """Turn `our field -> their paths` into rules by path; the earlier path counts."""
    scales, lenient = scale or {}, set(or_leave_out)
    found: dict[str, FieldRule] = {}
    for to, written in paths.items():
        for order, path in enumerate(written.split()):
            found[path] = FieldRule(
                to,
                order=order,
                values=values.get(to, {}),
                or_leave_out=to in lenient or path in lenient,
                scale=scales.get(path, 1),
            )
    return found


_LOGGER_PATHS: _Paths = {
    "source_event_id": "eventid id event.id logid auditid uuid entryid",
    "timestamp_utc": "timestamputc timestamp time eventtime datetime createdat ts "
    "occurredat accesstime event.timestamp",
    "event_type": "eventtype type category event.type kind",
    "action": "action operation actiontype event.action verb",
    "user_id": "userid user username user.id user.userid actor actorid actor.id "
    "actor.userid user.name subject principal clinicianid providerid",
    "user_role": "userrole role user.role actor.role user.userrole",
    "department": "department dept user.department actor.department unit",
    "actor_type": "actortype actor.type",
    "on_behalf_of": "onbehalfof actor.onbehalfof",
    "agent_id": "agentid",
    "run_id": "runid",
    "job_id": "jobid",
    "tool_name": "toolname tool",
    "access_id": "accessid",
    "attribution_basis": "attributionbasis",
    "records": "records",
    "record_ids": "recordids recordid resources resourceids resourceid resource "
    "recordsaccessed accessedrecords documentids docids sourceids resource.id "
    "resources[].id resources[].resourceid resources[].recordid records[].id "
    "records[].recordid resources[].reference documents[].id chunkids",
    "patient_ids": "patientid patientids patient mrn patient.id subjectid "
    "resources[].patientid records[].patientid resource.patientid patient.mrn",
    "record_types": "resourcetype recordtype resource.type resources[].type "
    "resources[].resourcetype records[].type records[].resourcetype resourcetypes",
    "phi_fields_accessed": "phifieldsaccessed phifields fieldsaccessed",
    "sensitivity": "sensitivity",
    "deid_status": "deidstatus",
    "outcome": "outcome status result success event.outcome",
    "purpose_of_use": "purposeofuse purpose accesspurpose",
    "use_case": "usecase",
    "destination": "destination",
    "facility_id": "facilityid facility site",
    "source_ip": "sourceip ip ipaddress clientip remoteaddr sourceipaddress client.ip "
    "network.ip request.ip user.ip",
    "service_component": "servicecomponent component service",
    "request_id": "requestid correlationid traceid request.id",
    "session_id": "sessionid session session.id user.sessionid",
    "ai_model_id": "aimodelid modelid model modelname llmmodel ai.modelid model.id "
    "model.name ai.model",
    "ai_model_version": "aimodelversion modelversion model.version ai.modelversion",
    "ai_model_digest": "aimodeldigest",
    "deployment_id": "deploymentid deployment",
    "vendor_ba_id": "vendorbaid",
    "prompt_template_version": "prompttemplateversion templateversion",
    "output_kind": "outputkind",
    "query_hash": "queryhash prompthash inputhash questionhash ai.queryhash",
    "query_hash_norm": "queryhashnorm",
    "query_chars": "querychars querylength promptlength",
    "response_hash": "responsehash outputhash answerhash completionhash ai.responsehash",
    "response_hash_norm": "responsehashnorm",
    "released_chars": "releasedchars responselength",
    "input_tokens": "inputtokens prompttokens tokensin usage.prompttokens "
    "usage.inputtokens",
    "output_tokens": "outputtokens completiontokens tokensout usage.completiontokens "
    "usage.outputtokens",
    "latency_us": "latencyus latencyms durationms responsetimems",
    "response_phi_detected": "responsephidetected phidetected",
    "guard_decision": "guarddecision",
    "human_review_action": "humanreviewaction",
    "object_id": "objectid",
    "object_digest": "objectdigest",
    "reason_code": "reasoncode",
    "read_log": "readlog",
    "result_count": "resultcount",
}
_LENIENT = ("event_type", "record_types", "deployment")
_MILLISECONDS = dict.fromkeys(("latencyms", "durationms", "responsetimems"), 1000)
_TABLES: Mapping[str, Mapping[str, str]] = {
    "action": ACTIONS,
    "event_type": _EVENT_TYPES,
    "outcome": _OUTCOMES,
    "purpose_of_use": _PURPOSES,
}
_LOGGER = _rules(
    _LOGGER_PATHS, values=_TABLES, or_leave_out=_LENIENT, scale=_MILLISECONDS
)
_LOG_SETS = frozenset({"schema", "nonce", "receivedat", "logindex", "part", "parts"})

_TRAIL_PATHS: _Paths = {
    "source_event_id": "eventid",
    "timestamp_utc": "eventtime",
    "event_type": "eventtype eventname",
    "action": "requestparameters.action eventname",
    "user_id": "useridentity.username useridentity.userid useridentity.principalid",
    "user_role": "useridentity.role useridentity.userrole",
    "department": "useridentity.department",
    "actor_type": "useridentity.type",
    "on_behalf_of": "useridentity.onbehalfof",
    "agent_id": "useridentity.agentid",
    "run_id": "useridentity.runid",
    "job_id": "useridentity.jobid",
    "session_id": "useridentity.sessionid requestparameters.sessionid "
    "aicontext.sessionid",
    "attribution_basis": "useridentity.attributionbasis",
    "record_ids": "requestparameters.recordids requestparameters.recordid "
    "requestparameters.resourceids requestparameters.resourceid "
    "requestparameters.resources requestparameters.resources[].id",
    "patient_ids": "requestparameters.patientid requestparameters.patientids "
    "requestparameters.resources[].patientid",
    "record_types": "requestparameters.resourcetype requestparameters.recordtype "
    "requestparameters.resources[].type",
    "source_ip": "sourceipaddress",
    "service_component": "useragent",
    "request_id": "requestid",
    "outcome": "requestparameters.outcome errorcode",
    "ai_model_id": "aicontext.modelid aicontext.model requestparameters.modelid",
    "ai_model_version": "aicontext.modelversion",
    "ai_model_digest": "aicontext.modeldigest",
    "deployment_id": "aicontext.deploymentid",
    "prompt_template_version": "aicontext.prompttemplateversion",
    "use_case": "aicontext.usecase requestparameters.usecase",
    "output_kind": "aicontext.outputkind",
    "query_hash": "aicontext.queryhash aicontext.prompthash requestparameters.queryhash",
    "query_hash_norm": "aicontext.queryhashnormalised",
    "query_chars": "aicontext.querychars",
    "response_hash": "aicontext.responsehash requestparameters.responsehash",
    "response_hash_norm": "aicontext.responsehashnormalised",
    "released_chars": "aicontext.releasedchars",
    "input_tokens": "aicontext.inputtokens aicontext.prompttokens",
    "output_tokens": "aicontext.outputtokens aicontext.completiontokens",
    "latency_us": "aicontext.latencyus aicontext.latencyms",
    "response_phi_detected": "aicontext.responsephidetected aicontext.phidetected",
    "guard_decision": "aicontext.guarddecision",
    "human_review_action": "aicontext.humanreviewaction",
}
_TRAIL_LENIENT = (
    *("event_type", "record_types", "source_ip", "service_component"),
    *("useridentity.type", "eventname", "deployment_id"),
)
_CALLS: Mapping[str, str] = {
    "invokemodel": Action.INFER,
    "invokemodelwithresponsestream": Action.INFER,
    "converse": Action.INFER,
    "conversestream": Action.INFER,
    "invokeagent": Action.INFER,
    "retrieve": Action.RETRIEVE,
    "retrieveandgenerate": Action.QUERY,
    "getobject": Action.READ,
    "readresource": Action.READ,
    "searchwithget": Action.QUERY,
    "searchwithpost": Action.QUERY,
    "createresource": Action.WRITE,
    "updateresource": Action.WRITE,
    "deleteresource": Action.WRITE,
    "putobject": Action.WRITE,
    "startfhirexportjob": Action.EXPORT,
}
_TRAIL_TABLES: Mapping[str, Mapping[str, str]] = {
    **_TABLES,
    "action": {**ACTIONS, **_CALLS},
    "actor_type": {"awsservice": "service"},
    "outcome": {
        **_OUTCOMES,
        "accessdenied": Outcome.DENIED,
        "accessdeniedexception": Outcome.DENIED,
        "client.unauthorizedoperation": Outcome.DENIED,
    },
}
_TRAIL = {
    # What our own export writes has no place of its own there: it stands by its name.
    **{
        f"requestparameters.{name.replace('_', '')}": FieldRule(name, order=100)
        for name in TARGETS
        if name not in ("query_text", "response_text", "resource_type", "resource_id")
    },
    **_rules(
        _TRAIL_PATHS,
        values=_TRAIL_TABLES,
        or_leave_out=_TRAIL_LENIENT,
        scale={"aicontext.latencyms": 1000},
    ),
}

_FHIR_TYPES: Mapping[str, str] = {
    "110106": EventType.PHI_EXPORT,
    "110101": EventType.AUDIT_LOG_READ,
    "110122": EventType.SESSION_STARTED,
    "110123": EventType.SESSION_ENDED,
    "110114": EventType.SESSION_STARTED,
}
_FHIR_TABLES: Mapping[str, Mapping[str, str]] = {
    "event_type": _FHIR_TYPES,
    "action": {
        "C": Action.WRITE,
        "R": Action.READ,
        "U": Action.WRITE,
        "D": Action.WRITE,
        "E": Action.QUERY,
    },
    "outcome": {
        "0": Outcome.SUCCESS,
        "4": Outcome.FAILED,
        "8": Outcome.FAILED,
        "12": Outcome.FAILED,
        "information": Outcome.SUCCESS,
        "warning": Outcome.SUCCESS,
        "error": Outcome.FAILED,
        "fatal": Outcome.FAILED,
    },
    "purpose_of_use": _PURPOSES,
}
_FHIR_PATHS: _Paths = {
    "source_event_id": "id",
    "timestamp_utc": "recorded",
    "event_type": "subtype type",
    "action": "action",
    "outcome": "outcome",
    "purpose_of_use": "purpose",
    "user_id": "agent.user",
    "source_ip": "agent.address",
    "records": "records",
    "query_text": "entity.query",
}
_FHIR = {
    **_rules(
        _FHIR_PATHS,
        values=_FHIR_TABLES,
        or_leave_out=("event_type", "source_ip", "purpose_of_use"),
    ),
    "agent.patient": FieldRule("user_id", order=1, is_keyed=True),
}


def built_in_map(form: HistoryForm) -> FieldMap:
    """Return the map that comes with a form."""
    match form:
        case HistoryForm.AUDIT_JSONL | HistoryForm.CHAINED_JSONL:
            return FieldMap(
                form,
                distinct_by=("part",),
                no_entry=("schema", "phitrail/genesis/v1"),
                built_in=_LOGGER,
                built_in_ignored=_LOG_SETS | {"loghash", "prevhash"},
            )
        case HistoryForm.CLOUDTRAIL:
            return FieldMap(
                form,
                chain=ChainFields("integrityHash", "previousIntegrityHash"),
                distinct_by=("requestParameters.part",),
                no_entry=("eventType", "genesis"),
                built_in=_TRAIL,
                built_in_ignored=frozenset(
                    {"integrityhash", "requestparameters.logindex"}
                    | {f"requestparameters.{name}" for name in ("part", "parts")}
                ),
            )
        case HistoryForm.FHIR:
            return FieldMap(form, built_in=_FHIR, refuses_free_text=False)
        case HistoryForm.KMS_CLOUDTRAIL | HistoryForm.VAULT_AUDIT:
            return FieldMap(form, built_in=BUILT_IN)
        case HistoryForm.CSV:
            return FieldMap(form)
