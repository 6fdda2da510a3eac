"""Words of the clinic that are no identifiers, for the neutral slots of training text."""

import random

from training.guard.numbers import SHAPES, any_shape, digits
from training.guard.people import family

DRUGS = (
    "metformin lisinopril atorvastatin amlodipine metoprolol omeprazole losartan gabapentin sertraline furosemide "
    "apixaban warfarin insulin~glargine Lantus Humalog Novolog Eliquis Xarelto Coumadin Plavix Lipitor Crestor Zocor "
    "Norvasc Toprol Coreg Entresto Farxiga Jardiance Ozempic Trulicity Mounjaro Januvia Keppra Lamictal Depakote "
    "Dilantin Tegretol Seroquel Abilify Zyprexa Risperdal Lexapro Zoloft Prozac Cymbalta Effexor Wellbutrin Remeron "
    "Ativan Xanax Klonopin Ambien Percocet Norco Dilaudid Toradol Tylenol Advil Aleve Mobic Celebrex Humira Enbrel "
    "Remicade Stelara Cosentyx Dupixent Imuran CellCept Prograf Copaxone Tysabri Ocrevus Rituxan Herceptin Avastin "
    "Keytruda Opdivo Gleevec Taxol Taxotere Adriamycin Zofran Reglan Compazine Pepcid Protonix Nexium MiraLAX Colace "
    "Senna Synthroid Armour~Thyroid Cytomel Fosamax Prolia Forteo Flonase Symbicort Advair Spiriva Singulair albuterol "
    "prednisone Medrol Augmentin Zosyn vancomycin cefepime Rocephin azithromycin Levaquin Cipro Bactrim doxycycline "
    "Valtrex Tamiflu Paxlovid Biktarvy Truvada Descovy Epclusa Suboxone methadone naltrexone Vivitrol Narcan Aricept "
    "Namenda Sinemet Requip Mirapex Botox Depo-Provera Mirena Nexplanon Yaz Clomid Premarin Flomax Proscar Viagra "
    "Cialis Procrit Aranesp Neupogen Lovenox heparin Activase nitroglycerin hydralazine Imdur Ranexa digoxin amiodarone "
    "Benadryl Zyrtec Claritin Allegra Robitussin Sudafed Mucinex Pedialyte Ensure Boost Glucerna"
).split()
DX = (
    "type 2 diabetes;hypertension;atrial fibrillation;COPD;heart failure;community-acquired pneumonia;cellulitis;"
    "diverticulitis;acute kidney injury;CKD stage 3;GERD;migraine;major depression;anxiety;asthma;osteoarthritis;"
    "sleep apnea;hypothyroidism;breast cancer;prostate cancer;DVT;pulmonary embolism;NSTEMI;TIA;seizure disorder;"
    "multiple sclerosis;rheumatoid arthritis;lupus;sepsis;UTI;pyelonephritis;kidney stone;cholecystitis;pancreatitis;"
    "hip fracture;rotator cuff tear;low back pain;eczema;psoriasis;shingles;anemia;thrombocytopenia;preeclampsia"
).split(";")
EPONYMS = (
    "Parkinson disease;Alzheimer disease;Crohn disease;Graves disease;Addison disease;Cushing syndrome;Hashimoto thyroiditis;"
    "Hodgkin lymphoma;Ewing sarcoma;Wilms tumor;Kaposi sarcoma;Barrett esophagus;Bell palsy;Huntington disease;Down syndrome;"
    "Turner syndrome;Marfan syndrome;Ehlers-Danlos;Guillain-Barre;Raynaud phenomenon;Sjogren syndrome;Paget disease;Peyronie disease;"
    "Murphy sign;McBurney point;Babinski;Romberg;Lachman;Phalen;Tinel;Homans sign;Kernig;Brudzinski;Virchow node;Foley;Swan-Ganz;"
    "Hickman;Jackson-Pratt drain;Kelly clamp;Allis clamp;Whipple;Billroth II;Nissen fundoplication;Roux-en-Y;Hartmann procedure;"
    "Mohs;Bartholin gland;Baker cyst;Colles fracture;Jones fracture;Salter-Harris II;Le Fort;Schatzki ring;Zenker diverticulum;"
    "Meckel diverticulum;Mallory-Weiss;Wernicke;Korsakoff;Lewy body;Chiari;Arnold-Chiari;Dandy-Walker;Tetralogy of Fallot;Ebstein;"
    "Wolff-Parkinson-White;Brugada;Kawasaki disease;Takotsubo;Takayasu;Behcet;Wegener;Churg-Strauss;Henoch-Schonlein;Lyme disease;"
    "Coxsackie;Epstein-Barr;Norwalk virus;West Nile;Rocky Mountain spotted fever;Lou Gehrig disease;Charcot joint;Dupuytren;"
    "de Quervain;Osgood-Schlatter;Legg-Calve-Perthes;Scheuermann;Cheyne-Stokes;Kussmaul;Biot;Trendelenburg;Fowler position;Sims position;"
    "Valsalva;Heimlich;Dix-Hallpike;Epley;Weber;Rinne;Snellen;Jaeger;Goldmann;Schirmer;Pap smear;Gleason 3+4;Breslow;Clark level;Ann Arbor stage"
).split(";")
SCORES = (
    "Wells score {x};Glasgow Coma Scale {n};Apgar {n} and {n};Braden {n};Morse {n};PHQ-9 {n};GAD-7 {n};MoCA {n}/30;MMSE {n}/30;NIHSS {n};"
    "CHA2DS2-VASc {n};HAS-BLED {n};Child-Pugh B;MELD {n};Ranson {n};Centor {n};HEART score {n};TIMI {n};Karnofsky {n};ECOG {n};Bishop score {n};"
    "Caprini {n};Padua {n};CURB-65 {n};SOFA {n};APACHE II {n};Barthel {n};Katz {n};Norton {n};Ramsay {n};RASS -{n};Mayo {n};Epworth {n};AUDIT-C {n}"
).split(";")
LABS = (
    "potassium {x};sodium 13{n};creatinine {x};WBC {x};hemoglobin {x};platelets {d3};glucose {d3};A1c {x}%;TSH {x};INR {x};lactate {x};troponin 0.0{n};"
    "BNP {d3};ALT {d2};AST {d2};albumin {x};ferritin {d3};CRP {x};ESR {d2};vitamin D {d2};LDL {d3};HDL {d2};eGFR {d2};magnesium {x};BUN {d2};PSA {x};CA-125 {d2};D-dimer {d3}"
).split(";")
PAYERS = "Aetna;Cigna;UnitedHealthcare;Blue Cross;BCBS;Blue Shield;Humana;Medicare;Medicaid;Medi-Cal;Tricare;Anthem;Molina;Centene;Kaiser;WellCare;Oscar;Ambetter;Optum;CareSource;Highmark;Medicare Part D;Great Lakes Mutual".split(
    ";"
)
CHAINS = "Walgreens;CVS;Rite Aid;Walmart;Costco;Kroger;Publix;Safeway;H-E-B;Target;Sam's Club;Quest;LabCorp;Lincare;Apria;DaVita;Fresenius;Uber;Lyft;Home Depot;Dollar General;Meijer;Amazon;Instacart;Starbucks;McDonald's".split(
    ";"
)
COUNTRIES = "Mexico;Guatemala;Honduras;Somalia;Vietnam;India;China;the Philippines;Nigeria;Ghana;Kenya;Ethiopia;Ukraine;Russia;Haiti;Cuba;Brazil;Colombia;Peru;Iran;Iraq;Syria;Germany;Poland;Ireland;Canada;Japan;Korea;Pakistan;Nepal;Burma;Thailand;Egypt".split(
    ";"
)
STATES = "Alabama;Alaska;Arizona;Arkansas;California;Colorado;Connecticut;Delaware;Florida;Georgia;Hawaii;Idaho;Illinois;Indiana;Iowa;Kansas;Kentucky;Louisiana;Maine;Maryland;Massachusetts;Michigan;Minnesota;Mississippi;Missouri;Montana;Nebraska;Nevada;New Hampshire;New Jersey;New Mexico;New York;North Carolina;North Dakota;Ohio;Oklahoma;Oregon;Pennsylvania;Rhode Island;South Carolina;South Dakota;Tennessee;Texas;Utah;Vermont;Virginia;Washington;West Virginia;Wisconsin;Wyoming".split(
    ";"
)
ST = "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY".split()
GENES = "BRCA1 BRCA2 TP53 KRAS EGFR ALK HER2 JAK2 BCR-ABL MTHFR CFTR APOE4 LMNA PALB2 MLH1 MSH2 NTRK RET BRAF PIK3CA HLA-B27 FMR1 DMD".split()
JOURNALS = "N Engl J Med;JAMA;Lancet;BMJ;Circulation;Chest;Blood;Ann Intern Med;Gut;Diabetes Care;J Clin Oncol;Neurology;Pediatrics;Crit Care Med;Clin Infect Dis".split(
    ";"
)
HOTLINES = (
    "911;988;1-800-222-1222;1-800-QUIT-NOW;211;1-800-799-7233;1-800-CDC-INFO".split(";")
)
CODE_URLS = "http://loinc.org;http://snomed.info/sct;http://hl7.org/fhir/sid/us-ssn;http://hl7.org/fhir/sid/icd-10-cm;http://www.nlm.nih.gov/research/umls/rxnorm;http://unitsofmeasure.org;http://terminology.hl7.org/CodeSystem/v2-0203;urn:oid:2.16.840.1.113883.4.1;https://www.uspreventiveservicestaskforce.org;https://www.cdc.gov/flu;http://hl7.org/fhir/sid/us-npi".split(
    ";"
)


def neutral(slot: str, arguments: list[str], draw: random.Random) -> str | None:
    """Fill a neutral slot, or say that this is none."""
    plain = {
        "drug": DRUGS,
        "dx": DX,
        "eponym": EPONYMS,
        "payer": PAYERS,
        "chain": CHAINS,
        "country": COUNTRIES,
        "state": STATES,
        "st": ST,
        "gene": GENES,
        "hotline": HOTLINES,
        "codeurl": CODE_URLS,
    }
    if slot in plain:
        return draw.choice(plain[slot]).replace("~", " ")
    if slot in ("score", "lab"):
        text = draw.choice(SCORES if slot == "score" else LABS)
        for mark, n in (("{n}", 15), ("{x}", 0), ("{d2}", 99), ("{d3}", 899)):
            while mark in text:
                value = (
                    f"{draw.uniform(0.2, 14):.1f}" if not n else str(draw.randint(1, n))
                )
                text = text.replace(mark, value, 1)
        return text
    if slot == "n":
        low, high = arguments[:2] if len(arguments) >= 2 else ("1", "100")
        return str(
            draw.randint(
                min(int(float(low)), int(float(high))),
                max(int(float(low)), int(float(high))),
            )
        )
    if slot == "x":
        low, high = arguments[:2] if len(arguments) >= 2 else ("0.5", "9.9")
        return f"{draw.uniform(float(low), float(high)):.1f}"
    if slot == "age":
        return str(draw.randint(0, 89))
    if slot == "year":
        return str(draw.randint(1960, 2025))
    if slot == "time":
        hour, minute = draw.randint(0, 23), draw.randint(0, 59)
        return draw.choice(
            (
                f"{hour:02}:{minute:02}",
                f"{hour:02}{minute:02}",
                f"{hour % 12 + 1}:{minute:02} {draw.choice(('am', 'pm', 'AM', 'PM'))}",
                f"{hour % 12 + 1} {draw.choice(('am', 'pm'))}",
            )
        )
    if slot == "bed":
        return draw.choice(
            (
                "rm {n}",
                "room {n}",
                "bed {b}",
                "{n}-{b}",
                "4W-{n}",
                "MICU bed {b}",
                "Bay {b}",
                "ED {b}",
                "room {n}B",
            )
        ).format(n=draw.randint(100, 899), b=draw.randint(1, 40))
    if slot == "dose":
        return draw.choice(
            (
                "{n} mg",
                "{n} mcg",
                "{n} units",
                "{n} mL",
                "{n} g",
                "{n} mg/kg",
                "{n} mEq",
            )
        ).format(n=draw.choice((1, 2, 5, 10, 12.5, 20, 25, 40, 50, 81, 100, 250, 500)))
    if slot == "icd":
        return any_shape(draw, "A99.9 A99 A99.99 A99.999A")
    if slot == "cpt":
        return any_shape(draw, "99213 99214 99285 93306 9999A 27447 70450 99999")
    if slot == "loinc":
        return any_shape(draw, "9999-9 99999-9 999-9")
    if slot == "nct":
        return "NCT0" + digits(draw, 7)
    if slot == "lot":
        return any_shape(draw, SHAPES["lot"])
    if slot == "citation":
        names = ", ".join(
            f"{family(draw)} {draw.choice('ABCDEFGHJKLMNPRST')}{draw.choice(('', draw.choice('ABCDEFGHJKLMNPRST')))}"
            for _ in range(draw.randint(1, 3))
        )
        return (
            f"{names}{draw.choice((', et al', '', ' et al'))}. {draw.choice(JOURNALS)}{draw.choice(('.', ''))} {draw.randint(1995, 2025)}"
            + draw.choice(
                (
                    "",
                    f";{draw.randint(10, 400)}:{draw.randint(1, 2000)}-{draw.randint(1, 99)}",
                    f";{draw.randint(10, 400)}({draw.randint(1, 24)}):{draw.randint(1, 2000)}",
                )
            )
        )
    return None
