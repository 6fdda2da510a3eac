"""Titles, credentials and the small words around names."""

BEFORE = frozenset(
    """
    mr mrs ms miss mx dr doctor prof professor rev reverend sir dame sr sra srta don dona
    monsieur madame mme herr frau nurse attending resident coach judge officer pastor
    father sister brother hon
    """.split()
)
"""What stands before a name."""

FORMAL = frozenset("mr mrs ms miss mx dr doctor prof professor rev sra mme".split())
"""Titles after which even an ordinary word in lower case is a name."""

AFTER = frozenset(
    """
    md do rn np pa pac phd pharmd dds dmd lpn lvn cnm crna aprn dnp fnp msw lcsw lpc psyd
    dpm dc od pt dpt ot otr slp rd rdn cma facp facs facg faap mph mbbs mba esq bsn msn cnp
    arnp rph
    """.split()
)
"""Credentials behind a name."""

SUFFIXES = frozenset("jr sr ii iii iv".split())
"""Generations; part of the name."""

TITLES = BEFORE | AFTER | SUFFIXES

PARTICLES = frozenset(
    """
    de del la las los el da das dos do di du van von der den ten ter zu bin ibn bint al
    abu st ste le af av y e o mc mac san santa dela della
    """.split()
)
"""Words inside family names that name nobody alone."""

RELATIONS = frozenset(
    """
    son daughter wife husband mother father sister brother mom dad partner spouse cousin
    uncle aunt niece nephew grandmother grandfather grandson granddaughter friend neighbor
    neighbour caregiver guardian fiance fiancee twin patient pt client member named name
    called nickname nee
    """.split()
)
"""Words after which a capital letter begins a name, mostly."""

KIN = (
    RELATIONS - frozenset("patient pt client member named name called nickname".split())
) | frozenset("bf gf mum mama papa gma gpa grandma grandpa bro sis hubby".split())
"""Relatives and friends: the name behind one may be in lower case or all capitals."""

EPONYMS = frozenset(
    """
    addison alzheimer barrett basedow behcet bell crohn cushing down graves hashimoto hodgkin
    huntington kawasaki lewy meniere murphy paget parkinson raynaud sjogren still tourette
    turner wegener wilson
    """.split()
)
"""Names that stand for their disease alone (`early Parkinson's`)."""

BODY_PARTS = frozenset(
    """
    circle tetralogy ligament foramen canal sphincter ampulla islets loop triangle node
    bundle crypts valves duct pouch angle tubercle island artery vein nerve
    """.split()
)
"""What is named after somebody with `of` (`circle of Willis`)."""

EPONYM_NOUNS = frozenset(
    """
    disease syndrome disorder sign signs test score scale classification criteria catheter
    tube procedure maneuver manoeuvre fracture contracture palsy anemia thyroiditis
    lymphoma sarcoma tumor stain reflex phenomenon triad law method index formula
    equation grade stage level rating staging protein esophagus oesophagus hernia cyst
    ulcer dementia disease's chorea ataxia body bodies forceps retractor clamp drain line
    approach technique position incision graft trial study et
    type types skin papule papules node nodes nodule nodules ring rings lens rule ward wards
    loop space pouch gland duct point triangle block view repair osteotomy bandage collar
    brace pump pen needle
    """.split()
)
"""What makes the name before it an eponym or an author."""
