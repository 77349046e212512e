"""The Vietnamese mobile operators and the prefixes they were given, as shipped; `[[carrier]]` rows replace all of it.

This is data with a date, not law: prefixes are handed out anew, and since November 2018 subscribers keep their number
when they change operator. What is known to be missing: the MVNOs Local (inside 089), VNSKY (0777) and FPT (0775) have
no prefix of their own in any public list we found, so their numbers go under the host, MobiFone. Of 099 only the
ranges in use are listed. 095 (S-Fone) is closed and belongs to nobody.

iTel and Wintel have no radio network of their own: their subscribers are on VinaPhone's, and here the three count as
one network. Whether a tariff agrees is between an engineer and the operator: other rows are quickly written.
"""

from __future__ import annotations

from controller.core.setup import Carrier

VERSION = "2026-11-22"
"""The day the table was last compared with its sources."""
SOURCE = (
    "carrier metadata of libphonenumber 9.0.43; prefix lists of the operators as published by lawnet.vn; "
    "VietNamNet on iTel (087) and Reddi, today Wintel (055)"
)

CARRIERS = (
    Carrier(
        "viettel",
        ("Viettel", "Viettel Mobile", "Viettel Telecom"),
        ("086", "096", "097", "098", "031", "032", "033", "034", "035", "036", "037", "038", "039"),
    ),
    Carrier(
        "vinaphone",
        ("VinaPhone", "Vinaphone", "VNPT", "VNPT VinaPhone"),
        ("088", "091", "094", "081", "082", "083", "084", "085"),
    ),
    Carrier(
        "mobifone",
        ("MobiFone", "Mobifone"),
        ("089", "090", "093", "070", "076", "077", "078", "079", "030", "051"),
    ),
    Carrier("vietnamobile", ("Vietnamobile",), ("092", "052", "056", "058")),
    Carrier("gmobile", ("Gmobile", "G-Mobile", "GTel", "Gtel Mobile"), ("0993", "0994", "0995", "0996", "0997", "059")),
    Carrier("itel", ("iTel", "Itelecom", "Indochina Telecom"), ("087", "0998", "0999"), on_net="vinaphone"),
    Carrier("wintel", ("Wintel", "Reddi", "Mobicast"), ("055",), on_net="vinaphone"),
)
