"""Word lists of the training text. Everything the bundled model ever read is made from these and the grammars in data.py."""

W = str.split

ADJECTIVES = W("red blue green yellow black white brown pink grey purple orange golden silver small big old new round square tall "
               "short long wooden broken clean dirty heavy light little tiny soft hard warm cold bright dark shiny dusty empty full "
               "first second third secret quiet strange lucky plain striped wet dry thin thick narrow wide upper lower left right")
THINGS = W("box door key lamp bag book chair table cup bottle boat car bike bell basket hat coat shoe ring coin map letter clock radio "
           "phone drawer window gate safe chest locker cabin room house shop tower train bus truck cart wagon sled kite ball drum flute "
           "piano guitar mirror candle ladder bucket barrel shelf desk bed pillow blanket carpet curtain plate spoon fork knife pot pan "
           "kettle oven fridge tent rope net hook hammer saw nail brush paint pencil pen paper stamp card ticket badge flag button thread "
           "needle scarf glove sock shirt belt watch necklace crown sword shield garden bridge well mill barn stable fence machine robot "
           "engine wheel printer computer camera screen cable battery server folder file parcel envelope suitcase trunk jar tin can bowl "
           "tray vase statue picture puzzle toy doll marble whistle trumpet violin canoe raft ship rocket plane balloon umbrella")
ANIMALS = W("fox cat dog bear rabbit mouse horse cow pig sheep goat duck hen goose frog toad fish whale shark seal otter beaver wolf deer "
            "squirrel hedgehog badger owl crow robin sparrow eagle parrot penguin swan bee ant spider snail turtle snake lizard lion tiger "
            "elephant monkey camel donkey kitten puppy pony lamb chick butterfly bat mole crab dolphin zebra giraffe panda koala")
CREATURES = W("dragon giant wizard witch knight king queen prince princess robot ghost elf fairy pirate sailor farmer baker painter teacher "
              "doctor soldier hunter fisherman gardener tailor miller shepherd clown dancer singer cook child baby girl boy woman man "
              "grandmother grandfather snowman mermaid unicorn monster star cloud tree river mountain stone leaf flower wind moon sun")
NAMES = W("Anna Tom Lily Ben Mia Max Sara Leo Emma Jack Rosa Sam Nina Paul Ella Finn Clara Hugo Ivy Oscar Maya Noah Lucy Adam Zoe Felix "
          "Ruth Carl Vera Otto Jane Peter Alice Mark Eva Luke Nora Henry Kate Simon Amy David Laura Martin Julia Robert Sofia Daniel Helen "
          "Victor Diana Frank Irene George Olga Walter Tina Karl Wendy Bruno")
PETS = W("Milo Luna Rex Bella Spot Coco Buddy Daisy Rocky Ginger Pepper Shadow Sunny Biscuit Cookie Smoky Tiger Fluffy Snowy Lucky Toffee "
         "Pip Ziggy Bingo Muffin Misty Oreo Rusty Peanut Bandit Hazel Olive Teddy Scout Nemo Patch Whisky Honey Maple Pumpkin")
COLOURS = W("red blue green yellow black white brown pink grey purple orange gold silver")
FOODS = W("soup bread cheese rice pasta pizza cake pie jam honey apples pears plums grapes cherries bananas oranges lemons carrots peas "
          "beans potatoes tomatoes onions mushrooms eggs butter yogurt chocolate biscuits pancakes noodles salad fish chicken nuts")
GAMES = W("chess football tennis cards checkers hide-and-seek golf hockey swimming running skating cycling dancing singing painting "
          "reading cooking fishing climbing sailing")
CITIES = W("Paris London Rome Madrid Berlin Vienna Oslo Dublin Athens Lisbon Prague Warsaw Tokyo Cairo Boston Chicago Sydney Toronto Delhi Lima")
PLACES = ["in the kitchen", "in the garden", "under the bed", "on the table", "behind the door", "in the car", "on the roof", "in the barn",
          "near the river", "in the forest", "on the shelf", "under the chair", "in the cellar", "at the station", "in the school",
          "at the market", "behind the house", "in the tower", "on the boat", "under the bridge", "in the library", "at the beach",
          "next to the window", "inside the box", "in the attic", "on the hill", "in the shop", "at the farm", "in the drawer", "near the gate"]
SYLLABLES = W("ba be bi bo bu da de di do du fa fe fi fo ga ge gi go gu ka ke ki ko ku la le li lo lu ma me mi mo mu na ne ni no nu pa pe "
              "pi po ra re ri ro ru sa se si so su ta te ti to tu va ve vi vo za ze zi zo zu bla gri plo tra sko wen lor min dar vek tor "
              "zan kel mur fen gor nel rin sol tam")

# Simple knowledge of our own choosing: (question forms, answers) tables in data.py read these.
SOUNDS = {"cow": "moo", "dog": "woof", "cat": "meow", "sheep": "baa", "duck": "quack", "pig": "oink", "horse": "neigh", "hen": "cluck",
          "owl": "hoot", "mouse": "squeak", "frog": "croak", "lion": "roar", "snake": "hiss", "bee": "buzz", "crow": "caw", "wolf": "howl",
          "goose": "honk", "donkey": "hee-haw", "chick": "cheep"}
LEGS = {"cow": "four", "dog": "four", "cat": "four", "spider": "eight", "ant": "six", "bee": "six", "hen": "two", "duck": "two", "horse": "four",
        "snake": "no", "fish": "no", "owl": "two", "frog": "four", "crab": "ten", "butterfly": "six", "sheep": "four", "penguin": "two"}
HOMES = {"fish": "in the water", "bird": "in a nest", "bee": "in a hive", "bear": "in a cave", "fox": "in a den", "horse": "in a stable",
         "cow": "in a barn", "dog": "in a house", "rabbit": "in a burrow", "spider": "in a web", "whale": "in the sea", "frog": "near a pond",
         "camel": "in the desert", "penguin": "on the ice", "monkey": "in the jungle", "mole": "under the ground", "squirrel": "in a tree"}
EATS = {"cow": "grass", "rabbit": "carrots", "cat": "fish and mice", "dog": "meat", "bear": "berries and fish", "horse": "hay", "monkey": "bananas",
        "squirrel": "nuts", "hen": "seeds", "owl": "mice", "sheep": "grass", "panda": "bamboo", "frog": "flies", "lion": "meat",
        "mouse": "cheese and seeds", "bee": "nectar", "goat": "leaves and grass", "koala": "leaves"}
OPPOSITES = {"hot": "cold", "big": "small", "old": "new", "fast": "slow", "up": "down", "left": "right", "day": "night", "black": "white",
             "happy": "sad", "open": "closed", "full": "empty", "hard": "soft", "wet": "dry", "high": "low", "long": "short", "light": "dark",
             "good": "bad", "early": "late", "loud": "quiet", "clean": "dirty", "strong": "weak", "thick": "thin", "in": "out", "yes": "no",
             "first": "last", "rich": "poor", "near": "far", "young": "old", "win": "lose", "start": "stop"}
COLOUR_OF = {"the sky": "blue", "grass": "green", "snow": "white", "a banana": "yellow", "a tomato": "red", "coal": "black", "a carrot": "orange",
             "milk": "white", "a lemon": "yellow", "blood": "red", "a leaf": "green", "chocolate": "brown", "the sun": "yellow", "the sea": "blue",
             "a frog": "green", "a fox": "red", "an elephant": "grey", "a cherry": "red", "a crow": "black", "a strawberry": "red"}
CAPITALS = {"France": "Paris", "England": "London", "Italy": "Rome", "Spain": "Madrid", "Germany": "Berlin", "Austria": "Vienna",
            "Norway": "Oslo", "Ireland": "Dublin", "Greece": "Athens", "Portugal": "Lisbon", "Poland": "Warsaw", "Japan": "Tokyo",
            "Egypt": "Cairo", "Peru": "Lima"}
DAYS = W("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = W("January February March April May June July August September October November December")
NUMBERS = W("zero one two three four five six seven eight nine ten eleven twelve")
MADE_OF = {"a table": "wood", "a window": "glass", "a nail": "iron", "a shirt": "cloth", "a book": "paper", "a ring": "gold", "a shoe": "leather",
           "a wall": "stone", "a sweater": "wool", "bread": "flour and water", "cheese": "milk", "butter": "milk", "a snowman": "snow"}
USED_FOR = {"a knife": "cutting", "a pen": "writing", "a bed": "sleeping", "a key": "opening a door", "a cup": "drinking", "a spoon": "eating soup",
            "a boat": "crossing water", "a lamp": "making light", "a broom": "sweeping the floor", "a clock": "telling the time",
            "an umbrella": "staying dry", "a map": "finding the way", "a hammer": "hitting nails", "a camera": "taking pictures",
            "a needle": "sewing", "a book": "reading"}
SEASONS = [("When does snow fall?", "Snow falls in winter."), ("When do leaves fall?", "Leaves fall in autumn."),
           ("When do flowers bloom?", "Flowers bloom in spring."), ("Which season is the hottest?", "Summer is the hottest season."),
           ("How many days are in a week?", "There are seven days in a week."), ("How many months are in a year?", "There are twelve months in a year."),
           ("How many hours are in a day?", "There are twenty-four hours in a day."), ("When does the sun rise?", "The sun rises in the morning."),
           ("What do we drink?", "We drink water."), ("What is ice?", "Ice is frozen water."), ("What is rain?", "Rain is water that falls from clouds."),
           ("How many minutes are in an hour?", "There are sixty minutes in an hour."), ("Is the sun hot?", "Yes, the sun is very hot."),
           ("Is ice cold?", "Yes, ice is cold."), ("Can fish swim?", "Yes, fish can swim."), ("Can birds fly?", "Yes, most birds can fly."),
           ("Can pigs fly?", "No, pigs cannot fly."), ("Is fire cold?", "No, fire is hot."), ("What falls from the sky in winter?", "Snow falls from the sky in winter."),
           ("What do bees make?", "Bees make honey."), ("What do cows give us?", "Cows give us milk."), ("What do hens lay?", "Hens lay eggs.")]

# Words for questions outside what the model knows.
TOPICS = W("quantum physics gravity philosophy democracy inflation algebra calculus geometry chemistry biology evolution genetics dinosaurs "
           "volcanoes earthquakes astronomy galaxies planets Mars Jupiter Pluto atoms molecules electricity magnetism thermodynamics relativity "
           "history Rome Napoleon Shakespeare Einstein Newton Mozart Beethoven Picasso Lincoln Washington Caesar Cleopatra Gandhi Darwin Tesla "
           "Bitcoin blockchain economics taxes banking insurance mortgage stocks politics elections parliament senate president constitution law "
           "Python Java JavaScript Linux Windows Android compilers databases algorithms networking encryption cybersecurity software hardware "
           "internet email website browser programming recursion pointers threads medicine vaccines viruses bacteria cancer diabetes vitamins "
           "protein nutrition anatomy psychology sociology anthropology religion Buddhism Islam Christianity mythology Zeus Odin yoga meditation "
           "basketball baseball cricket rugby olympics marathon television movies cinema Hollywood Netflix opera ballet jazz rock poetry novels "
           "literature grammar Spanish French German Chinese Japanese Arabic Latin Russia China India Brazil Canada Mexico Australia Africa Asia "
           "Europe America Antarctica Everest Amazon Sahara oceans glaciers climate weather hurricanes pollution recycling energy solar nuclear "
           "oil gas coal farming agriculture fashion makeup jewelry architecture bridges airplanes helicopters submarines satellites rockets NASA "
           "Google Facebook Amazon Tesla Microsoft Apple OpenAI Meta intelligence learning transformers attention neurons tokens inference GPU CPU "
           "memory cache kernel Kubernetes Docker Rust Go Haskell SQL HTML CSS JSON XML regex love happiness success money career job interview "
           "marriage divorce parenting school university exam homework essay resume contract lawyer police crime war peace army navy weapons")
VERBS = W("explain describe summarize translate define compare analyze calculate solve prove derive list rank review rewrite improve debug "
          "compile install configure implement optimize refactor draw sketch compose invent predict recommend suggest plan organize estimate "
          "measure repair build design buy sell cook bake fix clean wash drive fly ride train teach learn study remember forget find search "
          "download upload print scan send receive open close start stop run walk jump climb swim")
COMMON = W("the a of to and in that is was for on are with as at be this have from or had by but what some we can out other were all there "
           "when up use your how said an each she which do their time if will way about many then them write would like so these her long make "
           "thing see him two has look more day could go come did number sound no most people my over know water than call first who may down "
           "side been now find any new work part take get place made live where after back little only round man year came show every good me "
           "give our under name very through just form sentence great think say help low line differ turn cause much mean before move right boy "
           "old too same tell does set three want air well also play small end put home read hand port large spell add even land here must big "
           "high such follow act why ask men change went light kind off need house picture try us again animal point mother world near build "
           "self earth father head stand own page should country found answer school grow study still learn plant cover food sun four between "
           "state keep eye never last let thought city tree cross farm hard start might story saw far sea draw left late run while press close "
           "night real life few north open seem together next white children begin got walk example ease paper group always music those both mark "
           "often letter until mile river car feet care second book carry took science eat room friend began idea fish mountain stop once base "
           "hear horse cut sure watch color face wood main enough plain girl usual young ready above ever red list though feel talk bird soon body "
           "dog family direct pose leave song measure door product black short numeral class wind question happen complete ship area half rock "
           "order fire south problem piece told knew pass since top whole king space heard best hour better true during hundred five remember step "
           "early hold west ground interest reach fast verb sing listen six table travel less morning ten simple several vowel toward war lay "
           "against pattern slow center love person money serve appear road map rain rule govern pull cold notice voice unit power town fine "
           "certain fly fall lead cry dark machine note wait plan figure star box noun field rest correct able pound done beauty drive stood "
           "contain front teach week final gave green quick develop ocean warm free minute strong special mind behind clear tail produce fact "
           "street inch multiply nothing course stay wheel full force blue object decide surface deep moon island foot system busy test record "
           "boat common gold possible plane stead dry wonder laugh thousand ago ran check game shape equate hot miss brought heat snow tire bring "
           "yes distant fill east paint language among")
