"""The words that announce an identifier, and what each announces.

One table, one row a class and rule: cue phrases in lower case (a space stands for any
run of spaces, dots, hyphens or underscores), and how much the value must look like an
identifier (`Need`). A cue that also has an everyday meaning ("order", "case", "visit")
asks for more. `CUES` is the table by phrase; `announced` finds them in a text.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from phitrail.events.codes import IdentifierClass as Class


class Need(Enum):
    """What a value must show before a cue makes it an identifier."""

    DIGIT = "one digit among three characters"
    DIGITS = "three digits"
    CODE = "four digits, or letters and digits joined, and no unit behind"
    SHORT = "two to seven digits, as extensions and pagers have"
    PHONE = "a number that can be dialled"
    PLATE = "a plate: capitals and digits in one or two groups"
    WORD = "a login: letters with a digit, dot or underscore among them"


@dataclass(frozen=True, slots=True)
class Cue:
    """What a phrase announces."""

    identifier_class: Class
    rule: str
    need: Need


_ROWS: Final = (
    (Class.MRN, "mrn.cue", Need.DIGIT,
     ("mrn|mrns|mrn no|emrn|empi|medical record|medical record number|medical record no|"
     "medical record id|med rec|med rec no|med rec number|medrec|mr no|mr number|mr#|"
     "record number|record numbers|record no|patient id|patient identifier|pt id|pid|"
     "patient number|patient no|pt no|hospital number|hospital no|hosp no|hosp number|"
     "hosp #|hosp|chart number|chart no|chart id|chart #|infant number|unit record|uhid|"
     "nhs number|nhs no|chi number|patient #|pt #|record #|historia clinica|expediente|"
     "health record number|person number|mpi|patientid|pt#|old chart")),
    (Class.MRN, "mrn.chart", Need.DIGITS, "chart"),
    (Class.SSN, "ssn.cue", Need.DIGITS,
     ("ssn|ssns|ss#|ss no|ss number|social security|social security number|"
     "social security no|social security #|soc sec|soc sec no|social|itin|sin|"
     "last four|last 4|last four of ssn|last 4 of ssn|ssn4")),
    (Class.HEALTH_PLAN, "plan.member", Need.DIGIT,
     ("member id|member number|member no|member #|mem id|subscriber id|subscriber number|"
     "subscriber no|subscriber #|enrollee id|beneficiary id|beneficiary number|"
     "insurance id|insurance number|insurance no|insurance #|insurance policy|"
     "insurance policy number|insurance policy no|insurance policy #|ins id|ins no|ins #|"
     "ins policy|ins policy no|ins policy #|insurance plan|insurance plan id|ins plan|"
     "ins plan #|insurance plan #|plan id|plan number|plan no|health plan id|"
     "health plan number|policy number|policy no|policy #|policy id|medicaid id|"
     "medicaid number|medicaid no|medicaid #|medicare id|medicare number|medicare no|"
     "medicare #|mbi|hicn|hic number|medigap policy|certificate number|insurance card|"
     "medicaid|medicare|mco id|hmo id|ppo id|payer member id|tricare id|ahcccs id|"
     "medi cal id|cin|memberid|subscriberid|policy holder id|policyholder id|humana id|"
     "bcbs id|blue cross id|aetna id|cigna id|uhc id|anthem id|kaiser id")),
    (Class.HEALTH_PLAN, "plan.policy", Need.CODE,
     ("member|subscriber|policy|insurance|ins|insurer|plan|health plan|card|enrollee|"
     "beneficiary|your plan|hmo|ppo|insurance issues with|card says|front says")),
    (Class.HEALTH_PLAN, "plan.group", Need.CODE,
     "group|group no|group number|group #|group id|grp|grp no|grp #"),
    (Class.HEALTH_PLAN, "plan.group", Need.DIGIT, "rxgroup|rxgrp|rx group|rx grp"),
    (Class.ACCOUNT, "account.cue", Need.DIGITS,
     ("account|account number|account numbers|account no|account #|account id|acct|accts|"
     "acct no|acct number|acct #|acct hold|a/c|a/c no|har|hospital account|fin|fin number|"
     "guarantor|guarantor no|guarantor number|guarantor id|guarantor account|iban|"
     "card ending|card ending in|card on file|card number|card no|credit card|debit card|"
     "visa|mastercard|amex|american express|discover card|checking account|"
     "savings account|billing number|statement number|statement no|invoice number|"
     "invoice no|invoice #|dda|bank account|iban no|billing account|billing id")),
    (Class.ACCOUNT, "account.statement", Need.CODE, "statement|invoice|checking|savings"),
    (Class.LICENSE, "license.npi", Need.DIGITS,
     "npi|npi no|npi number|npi #|national provider identifier|upin"),
    (Class.LICENSE, "license.dea", Need.DIGITS,
     "dea|dea no|dea number|dea #|dea/license no|dea/license|dea registration"),
    (Class.LICENSE, "license.clia", Need.DIGITS, "clia|clia no|clia number|clia id|clia #"),
    (Class.LICENSE, "license.driver", Need.DIGITS,
     ("driver license|driver's license|drivers license|driver\u2019s license|driver licence|"
     "driver's licence|driver license no|driver's license no|driver's license number|"
     "driver license number|driving licence|dl|dl no|dl #|dl number|cdl|cdl no|"
     "driver license shown|operator license|license shown")),
    (Class.LICENSE, "license.professional", Need.DIGITS,
     ("license|licence|license no|licence no|license number|licence number|license #|"
     "licence #|lic|lic no|lic #|lic number|medical license|state license|rn license|"
     "nursing license|pharmacy license|licensed as|rvt #|rdms #|arrt #|arrt|ardms #|"
     "certification number|certification no|certification #|cert no|certificate no|"
     "board certification no|state controlled substance|bndd|passport|passport no|"
     "passport number|rvt no")),
    (Class.VEHICLE, "vehicle.vin", Need.DIGIT,
     "vin|vin no|vin #|vehicle identification number|vehicle vin|vehicle id"),
    (Class.VEHICLE, "vehicle.plate", Need.PLATE,
     ("plate|plates|license plate|licence plate|plate no|plate number|plate #|lic plate|"
     "license plates|number plate|tag|car tag|truck tag|tail|tail no|tail number|aircraft|"
     "hull registration|hull number|hull no|vehicle registration|registration plate|"
     "license plate number|license plate no|reg plate|tag number|tag no|car|van|truck|"
     "vehicle|sedan|suv|pickup|motorcycle|parked|honda|toyota|ford|chevy|chevrolet|"
     "nissan|subaru|hyundai|kia|jeep|dodge|bmw|volvo|mazda|tesla|buick|gmc|camry|civic|"
     "corolla|accord|f-150|minivan|boat|trailer")),
    (Class.DEVICE, "device.serial", Need.DIGITS,
     ("serial|serial no|serial number|serial numbers|serial #|serials|sn|s/n|sn #|"
     "transmitter id|transmitter sn|transmitter serial|transmitter code|cgm transmitter|"
     "udi|udi di|deviceserialnumber|serialnumber|device id|device identifier|device no|"
     "device number|device serial|"
     "implant id|implant serial|imei|meid|mac address|device #|unit sn|ser no|ser #")),
    (Class.DEVICE, "device.worn", Need.CODE,
     ("device|pacemaker|generator|module|console|controller|concentrator|ventilator|"
     "pump|cadd|meter|glucometer|sensor|transmitter|receiver|monitor|machine|"
     "recorder|loop recorder|icd|lead|valve|stent|implant|stimulator|cpap|bipap|"
     "airsense|coaguchek|watchpat|alaris|prismaflex|cardiohelp|pump number|"
     "hearing aid|hearing aids|defibrillator|lifevest|prosthesis|oximeter|nebulizer|"
     "wheelchair|scanner|probe|dexcom|libre|omnipod|tandem|medtronic|resmed|philips|"
     "patch|zio|holter|cart|workstation|tablet")),
    (Class.DEVICE, "device.lot", Need.CODE,
     ("mesh lot|mesh lot number|implant lot|lens lot|stent lot|graft lot|valve lot|"
     "implant lot number|cement lot|screw lot|plate lot|component lot|allograft lot")),
    (Class.BIOMETRIC, "biometric.cue", Need.DIGITS,
     ("biometric|biometric id|biometric template|fingerprint|fingerprint template|"
     "fingerprint id|thumbprint|thumbprint id|palm scan|palm vein|palm print|iris scan|"
     "iris code|iris template|retina scan|retinal scan id|voiceprint|voice print|"
     "voice signature|voice template|voice sample|voice sample id|"
     "face template|faceprint|face id|facial template|"
     "footprint|footprints|footprint card|fingerprint enrollment|enrollment|template|"
     "template id|afis|matched him to template|badge reader logged|palm")),
    (Class.OTHER, "other.tax", Need.DIGITS,
     "tin|tax id|taxpayer id|ein|tax identification number|federal tax id|tax id no"),
    (Class.OTHER, "other.visit", Need.CODE,
     ("visit|visit id|visit number|visit no|visit #|encounter|encounter id|"
     "encounter number|encounter no|encounter #|enc|csn|admission id|admission no|"
     "stay id|episode id|appointment|appt id|appointment id|appointment no|"
     "asynchronous visit")),
    (Class.OTHER, "other.claim", Need.CODE,
     ("claim|claim no|claim number|claim numbers|claim #|claims|claim id|eob|era|icn|dcn|"
     "remit|remit reference|appeal|appeal no|appeal number|denial|prior auth|pa #|pa no|"
     "prior authorization|authorization|authorization no|authorization number|"
     "auth|auth no|auth #|auth number|approval|approval no|approval number|referral|"
     "referral no|referral number|referral #|determination|precert|pre auth|"
     "reference|reference no|reference number|ref|ref no|ref #|ref number|your ref|"
     "our ref|confirmation|confirmation no|confirmation number|confirmation code|ticket|"
     "ticket no|case|case no|case number|case #|case id|me case|me case number|ref code|"
     "claim ref|collection letter|under order|letter")),
    (Class.OTHER, "other.specimen", Need.CODE,
     ("accession|accession no|accession number|accession #|acc|acc no|acc #|acc number|"
     "specimen|specimen no|specimen id|specimen #|sample|sample id|sample no|order|"
     "order no|order number|order #|order id|exam id|exam no|study no|requisition|"
     "req no|req #|lab no|lab id|lab #|slide|block|report|report no|report number|"
     "report #|kit|kit no|kit number|screen kit|barcode|case accession|surgical no|"
     "path no|disk number|disk no|disc number|cd no|image id|study uid|run sheet")),
    (Class.OTHER, "other.prescription", Need.CODE,
     ("rx|rx no|rx number|rx #|prescription|prescription no|prescription number|"
     "prescription #|script no|refill no|dispense id|under rx|pharmacy no|rems auth|"
     "ipledge id|ipledge|rems id|dosing no|bottle no")),
    (Class.OTHER, "other.subject", Need.CODE,
     ("subject|subject id|subject no|subject number|subject #|participant|"
     "participant id|participant code|participant no|study id|study subject|screening no|"
     "screening number|randomization no|randomization number|randomization|rand no|"
     "enrollment id|registry id|registry no|site id|psn|trial id|pt code|"
     "study number|cohort id")),
    (Class.OTHER, "other.donor", Need.CODE,
     ("donor|unit no|unit nos|unit number|unit numbers|"
     "blood unit|din|bag|bag no|waitlist id|"
     "recipient id|organ bank ref|tissue id|graft id|donation number|donation no")),
    (Class.OTHER, "other.code", Need.DIGITS,
     ("donor id|donor no|donor number|unos|unos id|usa/unos id|optn id|ncpdp|nabp|"
     "participant code|participant id|subject id|subject no|subject number|"
     "badge|badge no|badge number|badge #|badge id|caseid|pacaseid|accessionnumber|"
     "encounterid|docket|docket no|tkt|run no|conf no|quote|patient code|"
     "subject code|transplant id|id number|id no|appointment id")),
    (Class.OTHER, "other.alias", Need.DIGIT, "trauma alias|patient alias"),
    (Class.OTHER, "other.person", Need.CODE,
     ("employee id|employee no|"
     "employee number|employee #|emp id|emp no|interpreter id|interpreter no|staff id|"
     "provider id|student id|student no|inmate no|inmate number|inmate id|inmate #|"
     "booking no|booking number|doc no|doc #|doc number|dod id|edipi|military id|"
     "service number|alien number|alien no|alien #|alien registration number|a#|uscis #|"
     "uscis number|a number|visa no|wristband|wristband no|band no|"
     "wristband prints as|wristband id|tagged|locker|voucher|cab voucher|trip|trip no|"
     "event|event no|event id|incident|incident no|incident number|safety report|"
     "police report|tracking|tracking no|tracking number|thread id|message id|"
     "transaction id|session id|request id|form|alias|id #|"
     "id|ids|identifier|file no|file number|dossier|locator|caseworker id|"
     "parcel|permit|permit no|membership no|loyalty no|device log id|ticket number|"
     "session|record|registration no|registration number|parking pass|safe no|bin no")),
    (Class.OTHER, "other.login", Need.WORD,
     ("login|log in as|logged in as|user|username|user name|user id|userid|uid|handle|"
     "screen name|screenname|instagram|facebook|tiktok|twitter|skype|snapchat|telegram|"
     "whatsapp id|account name|portal user|portal username|epic id|login name|logon|"
     "network id|gamertag|discord")),
    (Class.PHONE, "phone.short", Need.SHORT,
     ("ext|extn|extension|x|pager|pager no|pager number|pager #|page|beeper|bpr|vocera|"
     "spectralink|ascom|pgr|pager id|page id|phone ext|dect|dect phone|bleep|dsn|asc|"
     "dial|nurse line|desk phone|on call phone|nurse desk|charge desk|front desk|unit desk")),
    (Class.PHONE, "phone.cue", Need.PHONE,
     ("phone|phones|telephone|tel|tel no|ph|ph no|ph #|cell|cell phone|mobile|mob|call|"
     "call back|callback|call back #|contact|contact no|contact number|contact #|text|"
     "texts from|sms|voicemail|phone number|phone no|phone #|telephone number|reach|"
     "reached at|reached on|home phone|work phone|number|landline|hotline|line|"
     "phone numbers|cell number|cell #|whatsapp|phone call|dial in|night line")),
    (Class.FAX, "fax.cue", Need.PHONE,
     ("fax|fax no|fax number|fax #|faxed to|faxed|fx|facsimile|efax|e-fax|fax to|"
     "fax packet to|fax form to|fax from")),
)  # fmt: skip


def _phrases() -> dict[str, Cue]:
    return {
        phrase: Cue(identifier_class, rule, need)
        for identifier_class, rule, need, phrases in _ROWS
        for phrase in phrases.split("|")
    }


CUES: Final = _phrases()
GAP: Final = r"[ ._-]{1,3}"


def cue_key(matched: str) -> str:
    """Bring what the pattern matched to the spelling that `CUES` has."""
    return _GAPS.sub(" ", matched)


_GAPS = re.compile(r"[ ._]+|(?<=\w)-(?=\w)")
