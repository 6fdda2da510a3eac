"""Short forms of given names, both ways: a record says William, the answer says Bill.

Each line of the table is one given name and what people are called who bear it. The table is
our own; it is no gazetteer: a short form counts only for a person whose record gives the
name. Spellings of one name (Catherine, Katherine) share their short forms.
"""

from functools import cache

_TABLE = """
aaron ron ronnie|abigail abby abbie gail|abraham abe bram|adelaide addie della
adeline addie|agnes aggie nessa|albert al bert bertie|alejandro alex ale jandro
alexander alex al alec xander sasha sandy|alexandra alex alexa lexi sandra sasha sandy
alfred al fred alfie|alfredo al fredo|alice ally allie|alicia ali licia
alison allie ali|allison allie ali|alphonse al|alvin al|amanda mandy manda
amelia amy millie mel|anastasia ana stacy stasia nastya|andrea andie andi drea
andres andy|andrew andy drew|angela angie|angelica angie|anita nita
ann annie nan nancy|anna annie ann|anne annie nan|annette annie netta|anthony tony ant
antoinette toni nettie|antonia toni tonya|antonio tony toño|archibald archie
arnold arnie|arthur art artie|arturo art turo|ashley ash|august augie gus
augustine gus augie|augustus gus augie|barbara barb barbie babs|bartholomew bart
beatrice bea trixie|beatriz bea betty|benjamin ben benny benji|bernadette bernie detta
bernard bernie barney|bertha bertie|bethany beth|beverly bev|bradford brad
bradley brad|brandon bran|brenda bren|brian bri|bridget bridie biddy|bronislaw bronek
caleb cal|calvin cal|cameron cam|camilla cammie|candace candy|carl charlie
carlos charlie|carmen carm|carol carrie|caroline carrie carol|carolyn carrie carol lyn
casimir casey kaz|cassandra cassie sandra|catalina cata lina cathy
catherine cathy cate kate katie kathy kay kitty|cecil cec|cecilia cece celia cissy
charles charlie chuck chas chip|charlotte charlie lottie|chester chet|christian chris
christina chris chrissy tina christy|christine chris chrissy tina christy
christopher chris topher kit|clarence clare|clayton clay|clifford cliff|clifton cliff
clinton clint|concepcion concha connie|constance connie|consuelo chelo connie
cornelius neil corny|crystal chris|curtis curt|cynthia cindy|dalton dal
daniel dan danny|danielle dani ellie|daphne daff|david dave davey|deborah deb debbie
debra deb debbie|delores dee lola|denise dee|dennis den denny|desmond des|diana di
diane di|dmitri dima mitya|dolores lola dolly|dominic dom nick|donald don donnie
donna dee|dorothea dot dottie thea|dorothy dot dottie dolly|douglas doug|dwayne wayne
edgar ed eddie|edith edie|edmund ed eddie ned|eduardo ed eddie lalo
edward ed eddie ned ted teddy|edwin ed eddie win|efrain efra|eileen lena|elaine laney
eleanor ellie nell nellie nora lena|elena lena|elijah eli
elisabeth beth liz lisa bess betty
elizabeth liz lizzie beth betsy betty bess eliza lisa libby|eloise lois|elsbeth elsa
elvira elvie|emanuel manny|emily em emmy millie|emma em emmy|enrique kike rick quique
eric rick|erica ricki|ernest ernie|ernesto neto ernie|esmeralda esme|esperanza espie
esther essie hettie|eugene gene|eugenia genie|eustace stacy|evangeline eva angie evie
evelyn evie eve lyn|ezekiel zeke|ezra ez|federico fred fede|felicia fel licia
felipe phil|ferdinand ferdie|fernando nando|florence flo flossie
frances fran frannie francie|francesca fran franny chess|francine fran
francis frank fran|francisco paco frank pancho cisco|franklin frank
frederick fred freddie fritz rick|gabriel gabe|gabriela gabby|gabrielle gabby
gail abby|genevieve gen viv|geoffrey geoff jeff|george georgie|georgia georgie
georgina georgie gina|gerald gerry jerry|geraldine gerry jerri|gerard gerry jerry
gilbert gil bert|giovanni gio gianni|giuseppe joe beppe|gladys glad|gloria glo
gordon gord gordy|grace gracie|gregory greg|gretchen greta|guadalupe lupe lupita
guillermo memo bill|gustavo gus tavo|gwendolyn gwen wendy|hannah annie
harold hal harry|harriet hattie harry|harrison harry|harvey harv|heather heath
helen nell nellie lena|helena lena|henrietta hattie etta|henry hank harry hal
herbert herb bert|herman herm|hilda hildy|horace horry|howard howie
hubert hugh bert hub|hugo huey|ignacio nacho|imogen immy|irene rene|irving irv
isaac ike zac|isabel izzy bel bella|isabella izzy bella|isadore izzy|isaiah zay
israel izzy|jacob jake jack coby|jacqueline jackie|james jim jimmy jamie jem
jane janie jenny|janet jan|janice jan|jasmine jas jazz|jeanette jean nettie
jefferson jeff|jeffrey jeff|jennifer jen jenny|jeremiah jerry jem|jeremy jerry jem
jerome jerry|jessica jess jessie|jesus chuy chucho|jillian jill|joan joanie|joann jo
joanna jo jo|joaquin quino|johanna jo hanna|john jack johnny jon
jonathan jon jonny nathan|jordan jordy|jorge george|jose pepe joe
josefina josie fina pepa|joseph joe joey jo|josephine jo josie|joshua josh|joyce joy
juan juanito john|juanita nita|judith judy judi|julia julie jules|julian jules
juliana julie jules|julie jules|julius jules|justin jus|karen kari|katarzyna kasia
katherine kate katie kathy kat kay kitty kit|kathleen kathy katie kate kay
kathryn kate katie kathy kat|katrina kat trina|kelly kel|kenneth ken kenny|kevin kev
kimberly kim kimmy|konstantin kostya kostas gus|konstantinos kostas gus|kristen kris
kristin kris|kristina kris tina|kristine kris|laura laurie|lauren laurie
laurence larry laurie|lawrence larry laurie|leonard len lenny leo|leonardo leo
leopold leo|leroy lee roy|leslie les|lester les|letitia lettie tish|lewis lew louie
lillian lil lilly|lily lil|linda lin|llewellyn lew|lois lo|loretta etta lori
lorraine lori rainey|louis lou louie|louise lou lulu|lourdes lulu|lucas luke
lucia lucy|lucille lucy lou|lucinda lucy cindy|ludmila mila lyuda luda|luis lucho lou
lydia liddy|lynette lyn|mackenzie mac kenzie|madeline maddie|magdalena lena maggie
malcolm mal|marcella marcy|marcia marcy|marcus mark marc
margaret maggie meg peg peggy marge madge|margarita rita|maria mary mia|marian mary
mariana mari|marianne mary annie|marie mary|marilyn lyn|marjorie marge margie
marlene marly|martha marty mattie|martin marty|marvin marv|mary molly polly
matilda tilly mattie|matthew matt matty|maureen mo|maurice moe|maximilian max
maxine max|maxwell max|megan meg|melanie mel|melinda mel mindy|melissa mel missy lissa
melvin mel|mercedes mercy merche|meredith merry|michael mike mikey mick mickey
michaela mickey kayla|michelle shelly mickey|miguel mike|mikhail misha|mildred millie
milton milt|minerva minnie|miranda mandy randy|miriam mimi miri|mitchell mitch
mohamed mo|mohammad mo|mohammed mo|monica mona|montgomery monty|morris moe
mortimer mort|muhammad mo|muriel mu|myron ron|nadezhda nadia|nancy nan|naomi nomi
natalia nat tasha talia|natalie nat|natasha tasha nat|nathan nat nate
nathaniel nat nate|nicholas nick nicky nico|nicolas nick nico|nicole nicki nikki
nikolai kolya nick|nikolaos nikos nick|nora norrie|norma nor|norman norm|octavia tavy
olga olya|oliver ollie|olivia liv livvy|oscar ossie|oswald ozzie|pamela pam pammy
patience pat|patricia paty pat patty trish tricia|patrick pat paddy rick|paul paulie
paula polly|pauline polly|pedro pete|penelope penny nell|percival percy|peter pete
philip phil pip|philippa pippa|phillip phil pip|phoebe bea|phyllis phyl
priscilla cilla prissy|prudence prue|rachel rach|rafael rafa ralph|ramon ray moncho
ramona mona|randall randy|randolph randy|raphael rafe raf|raymond ray
rebecca becca becky|regina gina|reginald reg reggie|rene ren|reuben rube ben
rhonda ron|ricardo rick ricky|richard rick dick rich ricky richie
robert bob bobby rob robbie bert|roberta bobbie robbie|roberto bob beto
roderick rod rick|rodney rod|rodolfo rudy|rogelio roger|roger rog|roland rollie
ronald ron ronnie|rosa rosie|rosalie rosie rose|rosalind roz rosie ros
rosalyn roz rosie|rosamund roz rosie|rosario chayo|rosemarie rose rosie
rosemary rose rosie romy|roxanne roxy|rudolph rudy|russell russ rusty|ruth ruthie
salvador sal chava|salvatore sal|samantha sam sammy|samson sam|samuel sam sammy
sandra sandy|santiago santi diego|sara sally sadie|sarah sally sadie|saul sol
scott scotty|sebastian seb bash|sergei seryozha|seymour sy|shannon shan|sharon shari
sheldon shel|shirley shirl|sidney sid|silvester sly vester|simon si|socorro coco
solomon sol|sophia sophie|stacey stace|stanislaw stan staszek|stanley stan
stefan steve|stefania stef|stella stell|stephanie steph stevie|stephen steve stevie
steven steve stevie|stewart stew stu|stuart stu|susan sue susie suzy|susanna sue susie
suzanne sue suzy|svetlana sveta|sylvester sly|sylvia syl|tabitha tabby
tamara tammy tam|tatiana tanya tania|teodoro teo ted|teresa terry tess tessa tere
thaddeus thad tad ted|thelma thel|theodora dora thea teddy|theodore ted teddy theo
theresa terry tess tessa|thomas tom tommy|tiffany tiff|timothy tim timmy|tobias toby
trevor trev|ursula ursie|valentina val tina|valentine val|valerie val
vanessa nessa van|vasily vasya|vera vee|veronica ronnie vera roni|vicente chente vince
victor vic|victoria vicky tori vic|vincent vince vinny|viola vi|violet vi
virginia ginny ginger|vivian viv|vladimir vova vlad|vyacheslav slava|wallace wally
walter walt wally|wanda wan|warren ren|wendell del|wesley wes|wilbur will
wilfred will fred wilf|wilhelmina mina billie willa|willard will
william bill billy will willie liam|winifred winnie freddie|winston win|woodrow woody
xavier xavi|yevgeny zhenya gene|yolanda yoli|yvonne vonnie|zachariah zach zack
zachary zach zack|zebulon zeb|zechariah zach
"""


@cache
def _table() -> dict[str, tuple[str, ...]]:
    """Return every name with what else its bearer is called (no scanned text in it)."""
    gathered: dict[str, list[str]] = {}
    for line in _TABLE.replace("\n", "|").split("|"):
        name, *short_forms = line.split() or [""]
        gathered.setdefault(name, []).extend(short_forms)
        for short in short_forms:
            gathered.setdefault(short, []).append(name)
    return {name: tuple(dict.fromkeys(others)) for name, others in gathered.items()}


def also_called(given: str) -> tuple[str, ...]:
    """Return the short and long forms of a given name, which comes in folded lower case."""
    return _table().get(given, ())
