"""Which key of a record means what: plain dicts and FHIR R4 elements, one table.

Keys are compared without case, `_` and `-` (`birth_date` = `birthDate`). docs/guard-record-
context.md lists the plain ones; a test holds it to this table.
"""

from enum import StrEnum

from phitrail.events.codes import IdentifierClass as Class


class Kind(StrEnum):
    """How the value of a key is read."""

    NAME = "a name, or given and family name"
    GIVEN = "given names"
    FAMILY = "a family name"
    CALLED = "a nickname or another name"
    BIRTH = "a birth date"
    DATE = "a date"
    PHONE = "a telephone number"
    EMAIL = "an e-mail address"
    URL = "a URL"
    ADDRESS = "an address"
    STREET = "lines of an address"
    CITY = "a town"
    COUNTY = "a county"
    ZIP = "a ZIP code"
    ORGANISATION = "an institution or employer"
    NUMBER = "an id"
    IDENTIFIERS = "identifiers with type and value"
    TELECOM = "contact points with system and value"
    PERIOD = "a start and an end"
    PATIENT = "a patient"
    RELATED = "relatives and other people around the patient"
    PROVIDERS = "practitioners"
    ENCOUNTERS = "encounters"
    IGNORED = "nothing that identifies"


_TABLE: dict[tuple[Kind, Class | None], str] = {
    (Kind.NAME, None): "name full_name patient_name",
    (Kind.GIVEN, None): "given first_name given_name middle middle_name",
    (Kind.FAMILY, None): "family last_name family_name surname",
    (Kind.CALLED, None): "nickname preferred_name alias aliases previous maiden_name "
    "previous_name",
    (Kind.BIRTH, Class.DATE): "birth_date dob date_of_birth",
    (Kind.DATE, Class.DATE): "date dates death_date deceased_date_time admission_date "
    "discharge_date service_date visit_date",
    (
        Kind.PHONE,
        Class.PHONE,
    ): "phone phones mobile pager telephone home_phone work_phone cell",
    (Kind.PHONE, Class.FAX): "fax",
    (Kind.EMAIL, Class.EMAIL): "email emails",
    (Kind.URL, Class.URL): "url urls website",
    (Kind.ADDRESS, Class.GEOGRAPHIC): "address addresses location",
    (Kind.STREET, Class.GEOGRAPHIC): "line street street_address",
    (Kind.CITY, Class.GEOGRAPHIC): "city town",
    (Kind.COUNTY, Class.GEOGRAPHIC): "county district",
    (Kind.ZIP, Class.GEOGRAPHIC): "zip zip_code postal_code",
    (Kind.ORGANISATION, Class.GEOGRAPHIC): "facility hospital clinic organization "
    "organisation school pharmacy department_name managing_organization service_provider",
    (Kind.ORGANISATION, Class.NAME): "employer",
    (Kind.NUMBER, Class.MRN): "mrn medical_record_number hospital_number",
    (Kind.NUMBER, Class.SSN): "ssn social_security_number",
    (Kind.NUMBER, Class.HEALTH_PLAN): "member_id subscriber_id plan_id policy_number "
    "medicare_id medicaid_id mbi group group_number",
    (Kind.NUMBER, Class.ACCOUNT): "account account_number bank_account card",
    (Kind.NUMBER, Class.LICENSE): "license license_number driver_license npi dea clia",
    (Kind.NUMBER, Class.VEHICLE): "vin plate license_plate",
    (Kind.NUMBER, Class.DEVICE): "device device_id serial serial_number udi",
    (Kind.NUMBER, Class.IP_ADDRESS): "ip ip_address",
    (Kind.NUMBER, Class.BIOMETRIC): "biometric biometric_id",
    (Kind.NUMBER, Class.PHOTO): "photo photo_file",
    (Kind.NUMBER, Class.OTHER): "id fhir_id patient_id claim claim_number case "
    "case_number visit visit_number encounter_id accession accession_number prescription "
    "rx_number subject study_id login user_name handle donor order_number ids",
    (Kind.IDENTIFIERS, None): "identifier identifiers",
    (Kind.TELECOM, None): "telecom",
    (Kind.PERIOD, Class.DATE): "period",
    (Kind.PATIENT, None): "patient",
    (Kind.RELATED, None): "related contact contacts relatives next_of_kin "
    "emergency_contact",
    (Kind.PROVIDERS, None): "practitioners practitioner providers provider care_team "
    "general_practitioner participant",
    (Kind.ENCOUNTERS, None): "encounters encounter visits",
    (Kind.IGNORED, None): "resource_type use active gender sex role relationship state "
    "country language age title prefix suffix marital_status status specialty race "
    "ethnicity",
}


def plain(key: str) -> str:
    """Return a key without case and joints."""
    return key.replace("_", "").replace("-", "").lower()


DOCUMENTED = {meaning: tuple(keys.split()) for meaning, keys in _TABLE.items()}
"""The keys as they are documented, by kind and class."""

KINDS = {plain(key): meaning for meaning, keys in DOCUMENTED.items() for key in keys}
"""Every known key with its kind and class."""

_TYPE_WORDS: tuple[tuple[Class, str], ...] = (
    (Class.SSN, "ssn ss social"),
    (Class.MRN, "mrn mr mrt hospitalno medicalrecord"),
    (Class.VEHICLE, "plate vin hull vehicle"),
    (Class.LICENSE, "license licence dl npi dea clia md prn"),
    (
        Class.HEALTH_PLAN,
        "plan member medicaid medicare group policy subscriber mb mc ma pn sn insurance",
    ),
    (Class.ACCOUNT, "account an card bank"),
    (Class.DEVICE, "device udi serial sno"),
    (Class.IP_ADDRESS, "ipaddress ip"),
    (Class.BIOMETRIC, "biometric"),
)
_SHORTEST_INSIDE = 3


def class_of_type(type_text: str) -> Class:
    """Return the class of an identifier from its type or system (FHIR, HL7 table 0203)."""
    low = plain(type_text).replace(" ", "")
    for identifier_class, words in _TYPE_WORDS:
        for word in words.split():
            if low == word or (len(word) >= _SHORTEST_INSIDE and word in low):
                return identifier_class
    return Class.OTHER
