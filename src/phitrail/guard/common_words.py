"""Names and towns that are ordinary words as well, in lower case.

`May`, `Will` or `Reading` says nothing alone: what looks for them wants a capital letter, a
title or another part of the name beside it (`record_names`, `record_phrases`). The list is
our own: short on purpose of what is nearly always a name. Some of its words were taken from
sentences of MTS-Dialog and ACI-Bench in which nobody is named (see NOTICE).
"""

COMMON_WORDS = frozenset(
    """
abbey abbot abbott able accident ace acre acres active adder admiral age agent
ages ago aid aide alder aldermen alert all almond alpine alta amber amble amen
and angel angels anger angle anti any apple april arbor arch archer archers are
area areas arm armor armour arms army arrow art arter ash ashes aspen aster
august aura aureus aurora autumn baby bachelor back bacon badger bailey bailiff
baker balance bald ball band banger bangs bank banks banner banter bar barb bard
bare bark barker barley barn baron barrier bars basal base basil basket bass bat
bath battle bay bays bead beam bean bear beard bears beat beats beau bee been
beer beers began begin begun bell bells below bench bend bending benefit bent
berry best beta better beverage bible bid big bigger bile bill bills binder
birch bird birds birth bishop bit bitter black blade blanch bland blank blaze
blind bliss block blood bloom blossom blot blow blue bluff blunt board boat body
boils bold bolden bolster bolt bolus bond bonds bone bones bonus bony book
booker boom boon boot booth border bore born borne boss both bottles bottom
bough bound bout bouts bow bowels bowl bowling bowls bowman box boxer boy boys
brace bracket brain brand brands brandy brash brass brave brazil bread breath
breeze brewer brick bridge bridges bridle brief bright brine bring brings brisk
broad broccoli broker brook brooks broom brother brothers brought brown buck
bucks bud buffalo buffet bugler build bulk bull bullock bump bumps bunch bunion
bunt bunting bur burden burgers burn burns burr bus bush bustle but butcher
butler butter button butts buzz byte cable cage cake calendar call calm came
camp camping can canal cancer candy cane cannon canon canter canyon cape
cappuccino car carbon card cardinal care carol carp carpenter carrier carry cart
carter carver case cases cash cashier cast castle cat catches catching cause
causing cave cease cedar celery celeste cell center centers certain chair chalk
chamber chambers champ champion chance chandler change chapel chaplain chapman
charity charm chart chase chaste chastity check cheer cherry chess chest chew
chief child childs chin chip chips choice chosen christian christmas chronic
chuck church churn cinder circle city civil clam clamp class clay clear
clearwater clerk cliff clock close cloud cloudy clover club clue coach coal
coast coats cobble cobbler cock coffee coil coin cold coli colic collar college
colon colt comb comber come comes comfort commerce common comp companion concord
conn constance constant coo cook cool cooler coop cooper copper coral cord core
cork corn cornea corner corning corona cost cottage cotton cough council count
counter country course court courts cousin cousins cover cowl coy crab crabs
craft cramp crane crater craven cream creek crew cricket crisp crook crooks
cross crow crowd crowder crown cruise crump cry crystal cue cuff cull cup curb
cure curl curls curly current curry curt cutter cutting dad daily daisy dale dam
damp dance dancer dandy dare dark darling dart dash data date daughter daughters
dawdle dawn day days deal dealer dean dear death deem deep deer defer defiance
degree delay den dent desire destiny dew dial diamond diamonds diary dice dill
dime dimmer dinner dinosaur dipper dish ditto divide dock doctor dodge doe does
doing doll dolphin don done donor door dorm dose dot double dove down downs
drake draper draw drawer drew drift drinker drinks driver drop drum drummer dry
duck due duke dull during dust dusty duty dyer dyes eager eagle ear earl early
earn earnest earth east easter easy eaves ebb ebony echo economy edema eden edge
egg elder elders elm else ember emerald emery end enders engineer english
enterprise ermine eureka eve even ever everest every excellent eye fable face
factor fade failing fair fairly faith falcon fall fallen falling falls fan far
fare farm farmer farrow fashion fast fat fatty faux favor favour fawn fear
feather fell felt female fern ferry fever few fiber fiddler field fields fife
fig fight figures fill filling filter finch find fine finger fingers fir fire
firm first fish fisher flag flagg flair flame flanders flank fleet fletcher
flight flint flip floor flora flow flower flowers fluent fly folds folly fond
foot foote for force ford forest forester forge forks former fort forth fortune
forward fossa foster found fountain fowl fowler fox fraction frame franc francs
frank free freeman french friend friends from frost fruit fruits fry full fuller
fun furlong fuss fussy future gable gage gain gains gale gallant gallops gamble
game games gamma garden gardener garland garlic garner garnet garrison garter
gas gate gates gather gauze gave gear gem gene general gentle gentleman gentry
getting gift ginger girl given glade gland glass glen glory glover goad goes
going gold golden gone good goose gore gout grace grade grader graft grain gram
grand grant grants grape grass grave gravel graves gravis gray great greed green
greener greens grey grief grim grimes grinder grip groom gross ground grove
groves grow guard guess guest guide guile gulf gull gully gum gun gunner guns
gust guy hack hail hair hale half hall halls halo ham hamburger hammer hammock
hand handle hands handy hank happy harbor harbour hard harden hardware hardy
hare harm harmony harp harper harrow hart harvest has hatch hatcher haven hawk
hawks hawthorn hay hazard haze hazel head heal healing heard hearing heart heath
heather heaven hedge hedges height heights held helm help helps hem hemlock hen
her herald herb herd heritage hero herring hick hide high hill hills hilo him
hind hinder hint hip hitch hives hobby hockey hog hold holder hollow holly home
honey honorable hood hook hooker hooks hope hopper horn horner horse host hot
hound hour house how howl hub huff hug huge hull human humble hump hunger hunt
hunter hurry hurt hurts husband hush ice ideal idle ill imp inch inches
independence ink inn iris iron irons island ivory ivy jack jade jam jar jaw jay
jean jeans jelly jerk jet jewel job jobs jog john joiner joint jolly joy judge
jug juice july jump junction june jury just justice keel keen keep keeping kelp
kettle key keys kick kid kidney kill kind kinds king kings kite kitten knee
knife knight knock knot know knowledge lab label labor labs lace lack lacking
lad lady lake lakes lamb lambs lamp lance land landing lane lanes lap lapse
large larger lark laser lash last latch late lately later latter laurel law lawn
laws lay layer lead leaf league leak lean leap learn leather leave leek left leg
legal legend legg lemon lens lent less lesser letter level levels lever liberal
liberty lie lies life light lightfoot lights like likely likes lilac lily limb
lime line liner lines link lint lion lips list little live lively livers living
lobe lock locks lodge loft log lone long longer longest longs look loop loose
loosen lord lords lose losing loss lot loud louder love lovely lover loving low
lower lowers loyal luck lucky lump lunch lung lush lute lynx lyric mace made
magic maid main major makers malady malaise male mall mallet malt man mangle
mann manners manor mantle manual many maple marathon marble march mare marina
mark market marks marriage marrow mars marsh marshal mask mason mass mast
masters match mate mates math matter mattress max may maze mead meadow meadows
meal meals mean means measles measures mechanic medal media median melena melody
melon members memory mention mercer merchant mercy merit merry mess metal middle
midget might mild milder mile miles milk mill miller mills mince mind miner mini
minor mint minus miracle miss misty mix moan mobile mock mold mole moles mom
moment mon monday monk month mood moody moon moor moose moral more morning
morrow mortal moss most mote moth motley mound mount mountain mouse much mud
mules mull mumps murder muse musk must mustard myrtle myth nail nails names nap
nares nation nature navy near neat necessary neck need needle needles needs
nephew nest nettle never new newborn newcomer nice nick night nine nipple noble
nodes nods non noon noose nor normal north nose notch note notice novel now
numbers nun nurse nut oak oaks oats ocean odd odor off offer office officer oil
okay old olive once ones onion only onyx opal open opportunity oral orange
orchard orders organ oriole otter out outlaw over overall owl own owner oyster
pace pack packer page pages pain painter pair pale palm palmar palmer pan pane
panic pansy pap paper paradise pardon parent parish park parker parks parson
parsons part partner pas pass past pasta paste pat patch patches patella
patience patient pay peace peach peak peal pear pearl peas peel peeling peer pen
pence pender penny people pepper per perch perfect period pet petal petty phlegm
phoenix piano pick picking pickle pickup pie piece pierce pig pigeon pile
pilgrim pill pillow pin pine pines pink pins piper pitcher pitman pizza place
plains plan plane planes plank plant planter plate player plaza pleasant
pleasure plenty plum plumb plumber plumer plunk point points pole police polio
pollen polo pond ponder pool poor pop pope poplar poppy port portal porter pose
post postal poster pot potter pound pounds powder power powers praise prater
pray prayer preacher precious prentice present press pretty price pride priest
prime primer prince princess prior private profit progress proper proud prudence
prune pry puck pull pulley pulling pulse pummel pump pure purpose purse push
pusher put putt quail quake quarry queen quest quiche quick quill quince quire
rabbit race rack radish rag rail railing rain rainbow rains rake ram rambler
ramp ran ranch range ranger rank rankle ranks raper rapids rash rat rate rates
rather raven raw ray rayon reach read reader reading real reap rear reason
reasons rebel record records red reed reeds reef reeve regal region register
regular rehab reign relation relay reliance remedy reminder rent rest reveal
reverend rhythm rice rich richer riddle ride rider ridge ridges rife rigger
right ring rings ripple rise rising risk river rivers roach road roads roan
robin rock rocks rod rode rogue roll roller rolling rolls romance roof rook room
roost root roots rope rose rosemary roses rough round rouse rove rover row royal
ruby rudder rude rue ruff rugged rule ruler run rung runner running rush russet
rust rusty ruth rye sable sack sacks sad saddler safe safer sage said sailor
saint salem sales salesman saline salmon salt salter salts salve sample samples
sand sander sands sandy sapphire sargent sash sat satin saturday sauce savage
savior saw say scale scales scholar school schools score scotch scout screen
screws seal seals search season seat sed see seek seem seems seen sees self sell
sellers send senior sense serene serenity serum service set setting settle
settles seven severe sewer sexton shade shadow shaft shake shaker shakes shame
shank shanks shape share sharp shave shaver she shear shed sheets shell shepherd
shield shields shine shiner shingles ship shipman shire shirt shock shoe shook
shoot shore short shorter shorts shot shots shoulders show shower showers shown
shows shy sick side sides sigh sights signal signs silk silver silvers simmer
simple sincere singer single singles sink sinks sir sister sit sites situ six
size ski skip skull sky skye slack slate slaughter sleep sleigh slight slope
slow sly small smaller smart smith smoke smoker smokes smooth snail snare sneeze
snipes snow soap social soil soldier sole soles solid some son song sons soon
soot sore sorrel south southern space spare spark sparks sparrow speak speaks
spear spears special speck speech speed spell spells spice spicer spike spikes
spina spinner spinning spire spit splinter spoon sports spot sprain spray spring
springer springs sprout spruce spurs square squires stabile stable stack stacks
staff stage stain stairs stalker stall stamp stamps stand standard standing
stands staples star staring starling start starts state states station stay
steady steed steel steep stent step stern stew steward stick stiff still stills
sting stock stocks stoker stone stoner stones stops store stork storm storms
stormy story stout stow straight strain strainer straining strand strange
stranger straw stream street streets strength stress string stroke strong struck
stuck student study stump sturdy style subject such sue sugar sugars summer
summers summit sun sunday sunny sunshine superior supple surface surge surgeon
surprise sutler swain swallow swallows swan swart sweat sweet sweets swift
swindle swing switch sword tack takes talent tall tally tamper tan tang tanner
tap tape taper tarry tart taste tasty taylor tea teach teacher teal team tear
telephone tell teller temper tempest temple ten tender tennis tenor tent terrace
test than thatcher the them then thick thin thing third thorn thorns thrash
thread throw thrower thrush thursday tick tide tiger till tillage tiller timber
time times tin tine tingling tinker tip tipper tissue toast tobacco today toe
toll tomb tone tong tongs tongue tonic too tool tooth top torch torn tory touch
tout toward towel tower towers town toy trace tracer track tracks trail train
trainer trammel trapper trash travel treat tree trench trial trick trigger trim
trinity trip triplet triumph trivet trotter trout truck true trumpet trunk trust
truth try tuck tucker tuesday tulip tumbler turk turkey turn turner turns twig
twist ulcer uncle uncles union unity unknown upper upright use usher vague vale
valentine valley van vase vault veer veil vein velvet venture vera verge verity
very vessels vest via vice victory view villa village vine viola violet violets
virgin virtue vision vista vital voice volley vow wadding wade wafer wager wages
wagon waist wait waits wake walk walker walks wall waller walls walnut wand want
wanton war ward warden wards ware warm wart was wash washer wasp watch water
waters wave waves wax way ways weak wean wear wearing wears weather weaver web
weed week weekly weeks weigh weight welcome well wells welt went were west
wester western wharf wheat wheel wheeler wheels whelp while whisper white wicker
wide wider wild wilder will willing willow wills win winch wind window wine wing
wings winkle winner winning winter winters wise wish wit with witty wolf wonder
wonders wood wooden woods wool woolen word words work worker working works world
worm worry worst worth worthy wren wright wrinkle wrist yard yarn year years
yeast yell yellow yeoman yes yoke you young yule zeal zenith zest zion zip
""".split()
)
