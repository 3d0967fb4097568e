"""The headings that laboratories and their tools usually give, by what the column holds.

Headings are compared as lower-case letters and digits: `Participant Private ID` is `participantprivateid`.
"""

import re
import unicodedata

from featurestore.scale import Scale

IMAGE = frozenset(
    """image images imagename imagefile imagepath imageid img filename file filepath path photo photoname photofile
    photoid picture picturename pic stimulus stimuli stimulusname stimulusid stimulusfile stimname stimfile stim
    stimid face faceid facename target targetid model modelid name item itemname spreadsheetimage""".split()
)
RATER = frozenset(
    """rater raters raterid ratersid ratername raternumber annotator annotatorid user userid username participant
    participants participantid participantnumber participantcode participantprivateid participantpublicid subject
    subjectid subjectnr subjectnumber subj subjid subjectcode respondent respondentid responseid observer
    observerid judge judgeid coder coderid evaluator evaluatorid student studentid worker workerid prolificid
    prolificpid pid ppt pptid ppid ppn vp vpn vpnr vpcode vpid probandid proband versuchsperson juror jurorid""".split()
)
SCORE = frozenset(
    """score scores rating ratings ratingvalue mean meanscore meanrating averagerating averagescore avgrating
    avgscore average response responses resp responsevalue slider sliderresponse sliderresp ratingresponse
    ratingresp likertresponse value label judgment judgement answer sliderrating mos bewertung note""".split()
)
TRAIT = frozenset(
    """trait traits traitname dimension question questiontext adjective attribute judgmenttype judgementtype
    ratingtype construct measure characteristic scalename variable item itemname prompt""".split()
)
SESSION = frozenset(
    """session sessions sessionid sessionnumber sessionnr wave visit occasion timepoint measurementoccasion
    testsession retest phase""".split()
)
SD = frozenset("sd std stdev stddev stdv standarddeviation sdrating ratingsd sdscore scoresd".split())
COUNT = frozenset(
    """n nraters raters numberofraters numraters numberraters ratercount countraters nratings numratings
    numberofratings ratingcount count""".split()
)
TRAITS = frozenset(
    """attractive attractiveness beautiful beauty pretty handsome goodlooking facialattractiveness trustworthy
    trustworthiness dominant dominance competent competence warm warmth likable likeable likability likeability
    friendly friendliness intelligent intelligence smart masculine masculinity feminine femininity babyface
    babyfaced babyfacedness mature threatening threat aggressive aggressiveness angry anger sad sadness happy
    happiness surprised surprise afraid fearful fear disgusted disgust unusual typical typicality prototypic
    prototypicality distinctive distinctiveness memorable memorability caring responsible sociable
    emotionallystable weird healthy health youthful symmetric symmetrical sexy cute cuteness kind kindness honest
    honesty suitability strength strong powerful power agency communion approachable approachability""".split()
)
PHOTO_PREFIXES = tuple("face target stimulus stim photo image img picture model actor poser".split())
RATER_PREFIXES = tuple("rater participant subject respondent observer judge user annotator vp subj".split())
ATTRIBUTES = {
    **dict.fromkeys(("sex", "gender", "geschlecht", "sexe", "genre"), "sex"),
    **dict.fromkeys("ethnicity race ethnic ethnicgroup ethnie ethnicityrace raceethnicity".split(), "ethnicity"),
    **dict.fromkeys(("age", "ageyears", "alter", "agegroup"), "age"),
    **dict.fromkeys(("subset", "group", "facegroup", "stimulusset", "stimset", "category"), "subset"),
    **dict.fromkeys(("nationality", "country", "culture"), "country"),
    "education": "education",
    **dict.fromkeys(("orientation", "sexualorientation"), "orientation"),
    **dict.fromkeys(("expression", "emotion"), "expression"),
}
"""Heading -> the attribute of the photo or of the rater that it names."""

RATER_COLUMNS = frozenset(
    """r rater raters p pp ppt participant s subj subject sub o obs observer j judge u user a annotator c coder vp
    vpn id respondent student juror evaluator proband worker""".split()
)
"""What stands before the number, or the name, in the heading of a column of one rater's ratings."""

SEX = {
    **dict.fromkeys(("f", "female", "woman", "w", "weiblich", "femme", "girl"), "female"),
    **dict.fromkeys(("m", "male", "man", "männlich", "homme", "boy"), "male"),
}
"""Values of `sex` -> the two that kallos writes; others stay as they are."""

TOTALS = frozenset("mean average total sum sd std median min max n count mittelwert summe gesamt".split())
"""What stands in the image's column of a row that sums the table up."""

_FAMILY = re.compile(r"(?P<prefix>[^\W\d_]*)[ _.\-#]*(?P<rest>\d+|[^\W_]{1,20})")
_SCALE = re.compile(r"[(\[]\s*([+-]?\d+(?:\.\d+)?)\s*(?:-|–|—|to|\.\.+|bis|à)\s*([+-]?\d+(?:\.\d+)?)\s*[)\]]")


def normal(heading: str) -> str:
    """The heading's letters and digits in lower case, without `(column 3)` and a scale such as `(1-7)`."""
    bare = _SCALE.sub(" ", re.sub(r" \(column \d+\)$", "", heading))
    return "".join(c for c in unicodedata.normalize("NFKC", bare).lower() if c.isalnum())


def slug(text: str) -> str:
    """The text as part of a name: lower-case letters and digits, with hyphens between words."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", _SCALE.sub(" ", ascii_text).lower()).strip("-")[:60]


def scale_in(heading: str) -> Scale | None:
    """The scale that a heading states in brackets, as in `rating (1-7)`."""
    found = _SCALE.search(heading)
    return Scale(float(found[1]), float(found[2])) if found and float(found[1]) < float(found[2]) else None


def attribute(heading: str) -> tuple[str | None, str] | None:
    """(`photo`, `rater` or None where it may be either, attribute) of a heading such as `rater_sex` or `Gender`."""
    bare = normal(heading)
    for whose, prefixes in (("photo", PHOTO_PREFIXES), ("rater", RATER_PREFIXES)):
        for prefix in prefixes:
            if bare.startswith(prefix) and (found := ATTRIBUTES.get(bare.removeprefix(prefix))):
                return whose, found
    found = ATTRIBUTES.get(bare)
    return (None, found) if found else None


def rater_column(heading: str) -> bool:
    """Whether a heading is that of one rater's column: `R01`, `rater 3`, `p12`, `7`, `judge_anna`."""
    bare = re.sub(r" \(column \d+\)$", "", heading).strip().lower()
    if bare.isdigit():
        return True
    found = _FAMILY.fullmatch(bare)
    if not found or found["prefix"] not in RATER_COLUMNS:
        return False
    return found["rest"].isdigit() or (len(found["prefix"]) > 2 and bare[len(found["prefix"])] in " _.-#")
