"""How long the day is at a latitude, through the year."""
import datetime as dt
import math

import pandas as pd
import streamlit as st

PLACES = {"Nairobi": -1.3, "Lisbon": 38.7, "Reykjavik": 64.1, "Longyearbyen": 78.2, "Ushuaia": -54.8}
# The sun counts as risen when its upper edge is seen: refraction and its radius.
RISEN = math.radians(-0.833)


def hours_of_day(latitude: float, day: int) -> float:
    """Hours of daylight on a day of the year, by the sunrise equation."""
    declination = math.radians(-23.44) * math.cos(2 * math.pi * (day + 10) / 365)
    phi = math.radians(latitude)
    cosine = (math.sin(RISEN) - math.sin(phi) * math.sin(declination)) / (math.cos(phi) * math.cos(declination))
    return 24 / math.pi * math.acos(max(-1.0, min(1.0, cosine)))


@st.cache_data
def year_of(latitude: float) -> pd.DataFrame:
    first = dt.date(2026, 1, 1)
    days = [first + dt.timedelta(days=n) for n in range(365)]
    hours = [round(hours_of_day(latitude, n + 1), 2) for n in range(365)]
    return pd.DataFrame({"day": pd.to_datetime(days), "hours": hours}).set_index("day")


st.set_page_config(page_title="Daylight", page_icon="🌅")
st.title("Daylight")
place = st.selectbox("Place", [*PLACES, "somewhere else"])
latitude = PLACES.get(place)
if latitude is None:
    latitude = st.slider("Latitude", -89.0, 89.0, 50.0, 0.5)

year = year_of(latitude)
longest, shortest = year["hours"].max(), year["hours"].min()
left, right = st.columns(2)
left.metric("Longest day", f"{longest:.1f} h", year["hours"].idxmax().strftime("%d %B"), delta_color="off")
right.metric("Shortest day", f"{shortest:.1f} h", year["hours"].idxmin().strftime("%d %B"), delta_color="off")
st.line_chart(year, y_label="hours of daylight")
if shortest == 0:
    st.info(f"{int((year['hours'] == 0).sum())} days without a sunrise.")
st.download_button("Table", year.to_csv(), "daylight.csv", "text/csv")
print(f"{place} {latitude:.1f}: {shortest:.1f} to {longest:.1f} hours", flush=True)
